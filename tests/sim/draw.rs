//! Chance that repeats: one stream of draws for each purpose, so that one more draw here does not reshuffle what happens there.

use outlast::state::hash;

/// A stream of draws.
pub(crate) struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    pub(crate) fn of(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed, |mixed, byte| hash(mixed, u64::from(byte)));
        Dice { seed: mixed, thrown: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.thrown += 1;
        hash(self.seed, self.thrown)
    }

    /// From 0 to `end`, exclusive.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// From `least` to `most`, inclusive.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// With this chance in a thousand.
    pub(crate) fn chance(&mut self, in_a_thousand: u64) -> bool {
        self.below(1000) < in_a_thousand
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
