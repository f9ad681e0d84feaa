//! Draws under a seed.

use outlast::state::hash;

/// A sequence of draws: the same for the same seed.
pub(crate) struct Draw {
    seed: u64,
    drawn: u64,
}

impl Draw {
    /// The draws of `purpose` under `seed`.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Draw { seed: hash(seed, purpose), drawn: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.drawn += 1;
        hash(self.seed, self.drawn)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Whether something happens that does so `of_1000` times in a thousand.
    pub(crate) fn happens(&mut self, of_1000: u64) -> bool {
        self.below(1000) < of_1000
    }
}
