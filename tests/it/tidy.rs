//! The invariants of `docs/ARCHITECTURE.md` that the compiler does not hold: what is named where, and what is absent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No file of the product has more lines than this, its tests not counted.
const LONGEST_FILE: usize = 420;

/// Files that may be longer, each with a reason. There are none.
const LONG_FILES: [(&str, &str); 0] = [];

/// The modules of `src/`, from the ground up. A module may use those of its own layer and of the layers below it.
const LAYERS: [&[&str]; 10] = [
    &[
        "alert", "clock", "digest", "exchange", "guard", "js", "limits", "nearest", "route", "secret", "span", "table",
        "taxonomy", "unix", "view",
    ],
    &["destination", "http", "store", "vault"],
    &["authorisation", "error", "oauth", "sample"],
    &["parcel", "routing"],
    &["records"],
    &["admission", "driver"],
    &["builder", "engine", "recover"],
    &["backup", "config", "doctor", "life", "rehearsal", "sandbox"],
    &["cli", "demo"],
    &["verify"],
];

/// Imports against the arrows, each with what would end it. One that nothing needs any more fails the test.
const AGAINST: [(&str, &str, &str); 0] = [];

/// Types that hold a secret in the clear. None may be printed or written.
const SECRETS: [(&str, &str); 18] = [
    ("src/config/vault.rs", "VaultKeys"),
    ("src/destination/http/description.rs", "Description"),
    ("src/destination/http/mod.rs", "Declared"),
    ("src/destination/webhook/mod.rs", "Webhook"),
    ("src/destination/webhook/signature.rs", "Key"),
    ("src/driver/grants.rs", "Brought"),
    ("src/authorisation.rs", "Authorisation"),
    ("src/exchange/form.rs", "Form"),
    ("src/oauth/assertion.rs", "Assertion"),
    ("src/oauth/client.rs", "Client"),
    ("src/oauth/consent.rs", "Code"),
    ("src/oauth/consent.rs", "Consent"),
    ("src/oauth/refresh.rs", "Minted"),
    ("src/sandbox/options.rs", "Secret"),
    ("src/secret.rs", "Secret"),
    ("src/vault.rs", "Grant"),
    ("src/vault.rs", "Vault"),
    ("src/vault/key.rs", "VaultKey"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` with this ending, as paths from the root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let (mut open, mut found) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|known| known == ending) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// What a file says outside of its tests: everything before `#[cfg(test)] mod tests {`.
fn product(path: &str) -> String {
    let text = text(path);
    let inline = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..inline].to_owned()
}

/// That, without comments.
fn code(path: &str) -> String {
    product(path).lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The source files of both crates that are not only compiled for tests.
fn sources() -> Vec<String> {
    let all: Vec<String> = [files("src", "rs"), files("state/src", "rs")].concat();
    let tests: BTreeSet<PathBuf> = all.iter().flat_map(|path| test_modules(path)).collect();
    let is_test = |path: &str| {
        Path::new(path).ancestors().any(|above| tests.contains(&above.with_extension("")) || tests.contains(above))
    };
    all.into_iter().filter(|path| !is_test(path)).collect()
}

/// Where the modules lie that a file declares for tests only, without the ending.
fn test_modules(path: &str) -> Vec<PathBuf> {
    let text = text(path);
    let file = Path::new(path);
    let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let text = text.replace("#[cfg(all(test, feature = \"cli\"))]", "#[cfg(test)]");
    let declared = text.split("#[cfg(test)]\n").skip(1);
    let names = declared.filter_map(|rest| {
        let line = rest.lines().next()?.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.map(|name| folder.join(name)).collect()
}

fn complain(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether `text` says `word`, not as the end of a longer one.
fn says(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(is_word))
}

/// The words that follow `lead` in a text.
fn following<'a>(text: &'a str, lead: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(lead).skip(1).map(|rest| rest.split(|letter| !is_word(letter)).next().unwrap_or_default())
}

#[test]
fn files_are_short() {
    let excused: BTreeMap<&str, &str> = LONG_FILES.into();
    let long = sources().into_iter().filter_map(|path| {
        let lines = product(&path).lines().count();
        let fault = format!("{path}: {lines} lines, and at most {LONGEST_FILE} are allowed");
        (lines > LONGEST_FILE && !excused.contains_key(path.as_str())).then_some(fault)
    });
    complain(&long.collect::<Vec<_>>());
}

#[test]
fn functions_are_short() {
    let (limits, manifest) = (text("clippy.toml"), text("Cargo.toml"));
    assert!(limits.lines().any(|line| line == "too-many-lines-threshold = 60"), "clippy.toml lets functions grow");
    assert!(manifest.contains("pedantic = { level = \"warn\", priority = -1 }"), "too_many_lines is one of pedantic");
    let excused = sources().into_iter().filter(|path| code(path).contains("too_many_lines"));
    complain(&excused.map(|path| format!("{path}: excuses a function from too_many_lines")).collect::<Vec<_>>());
}

#[test]
fn each_foreign_thing_is_named_in_one_file() {
    let owners = [
        ("sled::", "src/store/sled.rs"),
        ("redb::", "src/store/redb.rs"),
        ("reqwest::", "src/http.rs"),
        ("bincode::", "src/store/codec.rs"),
        ("SystemTime", "src/clock.rs"),
        ("Instant::now", "src/clock.rs"),
    ];
    for (word, owner) in owners {
        // Our own modules of these names are `self::sled` and `self::redb`.
        let ours = |code: String| code.replace("self::sled::", "").replace("self::redb::", "");
        let says_it = |path: &String| says(&ours(code(path)), word);
        let named: Vec<String> = sources().into_iter().filter(says_it).collect();
        assert_eq!(named, [owner], "{word} is named by its owner only");
    }
}

#[test]
fn nothing_is_unsafe_unfinished_or_unwrapped() {
    let mut faults = Vec::new();
    for path in [sources(), files("tests/it", "rs"), files("examples", "rs")].concat() {
        let said = text(&path).replace("unsafe_code", "");
        for mark in ["TODO", "FIXME", "XXX"] {
            if path != "tests/it/tidy.rs" && says(&said, mark) {
                faults.push(format!("{path}: {mark} is left"));
            }
        }
    }
    for path in sources() {
        let code = code(&path).replace("unsafe_code", "");
        if says(&code, "unsafe") {
            faults.push(format!("{path}: unsafe"));
        }
        for call in [".unwrap()", "todo!(", "unimplemented!(", "dbg!("] {
            if code.contains(call) {
                faults.push(format!("{path}: {call}"));
            }
        }
    }
    complain(&faults);
}

#[test]
fn imports_point_one_way() {
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let (mut faults, mut excused) = (Vec::new(), BTreeSet::new());
    for path in sources().iter().filter(|path| path.starts_with("src/")) {
        let module = path["src/".len()..].split(['/', '.']).next().unwrap();
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let Some(own) = layer(module) else {
            faults.push(format!("{path}: {module} has no layer; give it one in LAYERS and in docs/ARCHITECTURE.md"));
            continue;
        };
        // What is imported from the top (`crate::Secret`) is a type, and the layer of its module holds.
        for used in following(&code(path), "crate::").filter(|name| name.starts_with(char::is_lowercase)) {
            if AGAINST.iter().any(|(from, to, _)| (*from, *to) == (module, used)) {
                excused.insert((module.to_owned(), used.to_owned()));
            } else if layer(used).is_none_or(|used| used > own) {
                faults.push(format!("{path}: {module} is below {used} and must not use it"));
            }
        }
    }
    for (from, to, reason) in AGAINST {
        if !excused.contains(&(from.to_owned(), to.to_owned())) {
            faults.push(format!("{from} does not use {to} any more ({reason}); remove the exception"));
        }
    }
    complain(&faults);
}

#[test]
fn the_rules_stand_alone() {
    let manifest = text("state/Cargo.toml");
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in dependencies.lines().filter(|line| !line.is_empty()) {
        assert!(line.contains("optional = true"), "state/ depends on: {line}");
    }
    let mut faults = Vec::new();
    for path in sources().iter().filter(|path| path.starts_with("state/")) {
        let own = ["alloc", "core", "crate", "self", "super"];
        let code = code(path);
        let lines = code.lines().map(|line| line.trim_start().trim_start_matches("pub "));
        for line in lines.filter(|line| line.starts_with("use ")) {
            let from = following(line, "use ").next().unwrap();
            let laws = path.contains("laws") && ["proptest", "std"].contains(&from);
            if from.starts_with(char::is_lowercase) && !own.contains(&from) && !laws && !is_module(path, from) {
                faults.push(format!("{path}: {line}"));
            }
        }
        for foreign in ["async ", "std::time", "std::fs", "std::net", "println!"] {
            if code.contains(foreign) {
                faults.push(format!("{path}: {foreign}"));
            }
        }
    }
    complain(&faults);
}

/// Whether a file declares a module of this name.
fn is_module(path: &str, name: &str) -> bool {
    code(path).lines().any(|line| line.ends_with(&format!("mod {name};")))
}

#[test]
fn secrets_cannot_be_printed() {
    let mut faults = Vec::new();
    for (path, name) in SECRETS {
        let code = code(path);
        let declared = format!("struct {name}");
        let at = code.match_indices(&declared).map(|(at, _)| at);
        let at = at.filter(|at| !code[at + declared.len()..].starts_with(is_word)).collect::<Vec<_>>();
        assert_eq!(at.len(), 1, "{path} declares {name}");
        let before = code[..at[0]].rsplit("\n\n").next().unwrap();
        for (derived, how) in [("Debug", "prints"), ("Serialize", "writes"), ("Display", "prints")] {
            let derives = before.lines().any(|line| line.starts_with("#[") && says_word(line, derived));
            if derives || code.contains(&format!("{derived} for {name}")) {
                faults.push(format!("{path}: {name} {how} itself ({derived})"));
            }
        }
    }
    complain(&faults);
}

fn says_word(text: &str, word: &str) -> bool {
    text.split(|letter| !is_word(letter)).any(|found| found == word)
}

#[test]
fn links_in_the_documents_resolve() {
    let mut faults = Vec::new();
    let documents = [files("docs", "md"), files("examples", "md"), files("state", "md")].concat();
    let top = ["README.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned);
    for path in documents.iter().chain(&top) {
        for target in text(path).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let is_foreign = target.contains("://") || target.starts_with("mailto:");
            let folder = root().join(path).parent().unwrap().to_owned();
            if !is_foreign && !target.is_empty() && !folder.join(target).exists() {
                faults.push(format!("{path}: nothing is at {target}"));
            }
        }
    }
    complain(&faults);
}

/// The arrows of a page's first diagram from one state to another.
fn arrows(path: &str) -> BTreeSet<(String, String)> {
    let page = text(path);
    let diagram = page.split("stateDiagram-v2").nth(1).unwrap().split("```").next().unwrap();
    let arrows = diagram.lines().filter_map(|line| line.trim().split(':').next()?.split_once(" --> "));
    let arrows = arrows.map(|(from, to)| (from.trim().to_owned(), to.trim().to_owned()));
    arrows.filter(|(from, to)| from != to).collect()
}

/// `docs/STATES.md` is made from the tables; the README's picture says the same in other words.
#[test]
fn the_readme_shows_the_machine_as_it_is() {
    let (told, known) = (arrows("README.md"), arrows("docs/STATES.md"));
    assert!(known.len() > 10, "the diagram was not read: {known:?}");
    assert_eq!(told, known);
}

/// A test is named as its file and its function, such as `tests/it/tidy.rs: files_are_short`.
#[test]
fn the_tests_that_guarantees_name_are_there() {
    let pages = ["docs/GUARANTEES.md", "docs/LINKEDIN.md"].map(text);
    let words = pages.iter().flat_map(|page| page.split('`'));
    let named: Vec<(&str, &str)> = words.filter_map(|word| word.split_once(".rs: ")).collect();
    assert!(named.len() > 40, "the pages were not read: {named:?}");
    let missing = named.into_iter().filter(|(file, test)| {
        let file = root().join(file).with_extension("rs");
        let known = fs::read_to_string(file).unwrap_or_default();
        !following(&known, "fn ").any(|name| name == *test)
    });
    complain(&missing.map(|(file, test)| format!("{file}.rs has no test {test}")).collect::<Vec<_>>());
}

#[test]
fn the_code_map_is_complete() {
    let map = text("docs/ARCHITECTURE.md");
    let named: BTreeSet<&str> = map.split('`').filter(|word| is_source(word)).collect();
    let sources = sources();
    let known: BTreeSet<&str> = sources.iter().map(String::as_str).collect();
    let missing = known.difference(&named).map(|path| format!("docs/ARCHITECTURE.md does not name {path}"));
    let gone = named.difference(&known).map(|path| format!("docs/ARCHITECTURE.md names {path}, which there is not"));
    complain(&missing.chain(gone).collect::<Vec<_>>());
}

fn is_source(word: &str) -> bool {
    word.contains("src/") && Path::new(word).extension().is_some_and(|ending| ending == "rs")
}

/// The library alone brings in neither a command line nor a web server.
#[test]
fn the_library_alone_is_light() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--no-default-features"]);
    let tree = command.args(["--package", "outlast", "--format", "{p}|{f}"]).current_dir(root()).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let mut crates = BTreeSet::new();
    for line in tree.lines() {
        let (package, features) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        let name = package.split(' ').next().unwrap();
        let serves = features.split(',').any(|feature| feature == "server");
        assert!(!(name.starts_with("hyper") && serves), "the library alone has a web server: {line}");
        crates.insert(name.to_owned());
    }
    for foreign in ["clap", "clap_complete", "indicatif", "tracing-subscriber"] {
        assert!(!crates.contains(foreign), "the library alone brings in {foreign}");
    }
    assert!(crates.contains("sled") && crates.contains("reqwest"), "the tree was not read: {tree}");
}
