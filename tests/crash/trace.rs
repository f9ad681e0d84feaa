//! What a process did to its files, read from the log of strace: `strace -f -y -xx -s … -e trace=…`. With `-xx` every text
//! is hexadecimal digits, so that commas and brackets in the log are always strace's own.

use std::collections::HashMap;

/// The calls that a recording needs.
pub(crate) const CALLS: &str = "trace=openat,open,creat,close,read,pwrite64,write,pwritev,writev,lseek,ftruncate,fallocate,dup,dup2,dup3,\
    fcntl,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync_file_range";

/// One system call. Times count the lines of the log.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) began: u64,
    /// When it returned; [`u64::MAX`] if it never did.
    pub(crate) ended: u64,
    pub(crate) name: String,
    arguments: Vec<String>,
    result: String,
}

/// All calls of a log, in the order in which they returned.
pub(crate) fn calls(log: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, (u64, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (line, time) in log.lines().zip(1..) {
        let Some((process, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(first) = text.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, (time, first.to_owned()));
        } else if let Some(rest) = text.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let Some((began, first)) = unfinished.remove(process) else { continue };
            calls.extend(parse(&format!("{first}{}", rest.1), began, time));
        } else {
            calls.extend(parse(text, time, time));
        }
    }
    // What was cut off: its arguments are known, its result is not.
    calls
        .extend(unfinished.into_values().filter_map(|(began, first)| parse(&format!("{first}) = ?"), began, u64::MAX)));
    calls.sort_by_key(|call| (call.ended, call.began));
    calls
}

fn parse(text: &str, began: u64, ended: u64) -> Option<Call> {
    let (call, result) = text.rsplit_once(" = ")?;
    let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
    let arguments = arguments.split(", ").map(str::to_owned).collect();
    Some(Call { began, ended, name: name.to_owned(), arguments, result: result.to_owned() })
}

impl Call {
    /// Whether it did what it was asked to, as far as is known.
    pub(crate) fn worked(&self) -> bool {
        !self.result.starts_with('-')
    }

    /// What it returned; `None` where nobody knows.
    pub(crate) fn returned(&self) -> Option<u64> {
        self.result.split(['<', ' ']).next()?.parse().ok()
    }

    /// The path of the file that it opened.
    pub(crate) fn opened(&self) -> Option<String> {
        path_of(&self.result)
    }

    fn argument(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }

    pub(crate) fn descriptor(&self, at: usize) -> Option<u64> {
        self.argument(at).split('<').next()?.parse().ok()
    }

    /// The path of the file behind a descriptor.
    pub(crate) fn file(&self, at: usize) -> Option<String> {
        path_of(self.argument(at))
    }

    pub(crate) fn number(&self, at: usize) -> Option<u64> {
        self.argument(at).parse().ok()
    }

    pub(crate) fn says(&self, at: usize, flag: &str) -> bool {
        self.argument(at).split('|').any(|said| said == flag)
    }

    /// A text or the bytes of a buffer.
    pub(crate) fn bytes(&self, at: usize) -> Vec<u8> {
        let text = self.argument(at);
        assert!(!text.ends_with("..."), "strace has cut a buffer of {} off: raise -s", self.name);
        unhex(text.trim_matches('"'))
    }

    pub(crate) fn path(&self, at: usize) -> String {
        String::from_utf8_lossy(&self.bytes(at)).into_owned()
    }
}

/// The path in `9<\x2f\x74…>`, without the mark of a file whose name is gone.
fn path_of(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(String::from_utf8_lossy(&unhex(path)).into_owned())
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, |digit| digit as u8);
    text.as_bytes().chunks_exact(4).map(|four| digit(four[2]) * 16 + digit(four[3])).collect()
}
