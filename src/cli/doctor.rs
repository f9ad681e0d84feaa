//! `outlast doctor`

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::print;
use crate::config::Config;
use crate::doctor::{self, Examination, Gap, Salvage};
use crate::error::ErrorKind;

/// Check the store, and say what to do; or save what is whole
#[derive(clap::Args)]
#[command(after_help = "Examples:
  outlast doctor                           look, and change nothing
  outlast doctor --salvage saved-data      write what is whole to a new store

No engine may run on the store meanwhile. A copy of it is read, which needs as much space beside it,
or in DIR. Exit code 0 only if all is well.")]
pub(crate) struct Args {
    /// Write every delivery that is whole to a new store in DIR, and list the rest
    #[arg(long, value_name = "DIR")]
    salvage: Option<PathBuf>,
    /// Take what is there for all there is, although more commits were acknowledged
    #[arg(long, conflicts_with = "salvage")]
    accept_gap: bool,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Path, args: &Args) -> Result<(), Failure> {
    let store = Config::outline(config)?.store;
    match &args.salvage {
        Some(to) => {
            let salvage = doctor::salvage(&store, to).map_err(|error| match error.kind() {
                ErrorKind::Caller => Failure::usage(error.to_string()), // DIR is none to write to
                _ => error.into(),
            })?;
            let shown = if args.json { print::json(&salvage) } else { saved(&salvage, to) };
            if salvage.left.is_empty() { shown } else { Err(worse(shown)) }
        }
        None if args.accept_gap => {
            let gap = doctor::accept_gap(&store)?;
            if args.json { print::json(&gap) } else { print::line(&accepted(gap)) }
        }
        None => {
            let found = doctor::examine(&store)?;
            let shown = if args.json { print::json(&found) } else { told(&found) };
            if found.ok { shown } else { Err(worse(shown)) }
        }
    }
}

/// The exit code tells of what is wrong also where a reader such as `head` had enough.
fn worse(shown: Result<(), Failure>) -> Failure {
    shown.err().filter(|failure| failure.code() != 0).unwrap_or_else(Failure::told)
}

fn told(found: &Examination) -> Result<(), Failure> {
    let known = |number: Option<u64>| number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    print::line(&format!("store          {}", found.store.display()))?;
    print::line(&format!("opens          {}", if found.refusal.is_none() { "yes" } else { "no" }))?;
    print::line(&format!("format         {}", known(found.format.map(u64::from))))?;
    print::line(&format!("last commit    {}", known(found.commit)))?;
    print::line(&format!("acknowledged   {}", known(found.acknowledged)))?;
    let rows: Vec<[String; 3]> =
        found.tables.iter().map(|table| [table.table.clone(), table.found.to_string(), known(table.counted)]).collect();
    print::table(["TABLE", "FOUND", "COUNTED"], &rows)?;
    for finding in &found.findings {
        print::line(&format!("\n{}: {}\n  {}", finding.subject, finding.what, finding.remedy))?;
    }
    match found.findings.len() {
        0 => print::line("all is well"),
        1 => print::line("\n1 finding"),
        many => print::line(&format!("\n{many} findings")),
    }
}

fn saved(salvage: &Salvage, to: &Path) -> Result<(), Failure> {
    let (deliveries, records) = (salvage.deliveries, salvage.records);
    print::line(&format!("{deliveries} deliveries ({records} records) written to {}", to.display()))?;
    if salvage.left.is_empty() {
        return print::line("nothing was left");
    }
    for left in &salvage.left {
        print::line(&format!("left: {}: {}", left.key, left.why))?;
    }
    print::line(&format!("{} left; the old store is as it was", salvage.left.len()))
}

fn accepted(gap: Gap) -> String {
    let commit = gap.commit;
    match gap.acknowledged {
        Some(acknowledged) if acknowledged > commit => {
            let lost = acknowledged.saturating_sub(commit);
            format!("the store goes on after commit {commit}; {lost} that were acknowledged after it are given up")
        }
        Some(_) => format!("the store ends with commit {commit}, and no more were acknowledged: there was no gap"),
        None => format!("the store goes on after commit {commit}; whether more were acknowledged, nobody knows"),
    }
}
