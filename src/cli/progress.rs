//! How far long work has come: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::print;

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    total: Option<u64>,
    done: u64,
    told: u64,
}

/// On a file or a pipe, one line for so many steps at most.
const STEP: u64 = 1000;

impl Progress {
    /// Work in `total` steps, if that is known, of which each has been `what` ("accepted") in the end.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| match total {
            Some(total) => ProgressBar::new(total).with_style(style("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}")),
            None => ProgressBar::no_length().with_style(style("{msg} {spinner} {pos} {per_sec}")),
        });
        Progress { bar: bar.map(|bar| bar.with_message(what)), what, total, done: 0, told: 0 }
    }

    /// So many steps are done by now.
    pub(crate) fn reach(&mut self, done: u64) {
        self.done = done;
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if done.saturating_sub(self.told) >= self.total.unwrap_or(0).div_ceil(10).max(STEP) => {
                self.told = done;
                let of = self.total.map_or_else(String::new, |total| format!(" of {total}"));
                print::note(&format!("{} {done}{of}", self.what));
            }
            None => {}
        }
    }

    /// Writes a line without breaking the bar.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print::note(text)),
            None => print::note(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
