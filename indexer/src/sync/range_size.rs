use crate::chain::{AskLess, TooLargeIn};

/// How many blocks to ask for at once.
///
/// It aims at answers of a given length: doubles until the first is near that, and grows by a fixed
/// step from there (additive increase); an answer that is too long, and a refusal, shrink it in
/// proportion (multiplicative decrease). Below it lies a ceiling that only ever falls: a span that
/// the node called too wide is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RangeSize {
    size: u64,
    ceiling: u64,
    /// Whether no answer has come near the aim yet, and nothing was refused.
    searching: bool,
}

impl RangeSize {
    /// Where it begins: few enough for the fullest blocks.
    const START: u64 = 32;
    /// What it grows by at a time, once it has found its size.
    const STEP: u64 = 16;
    /// The widest span: more blocks save no round trips worth having.
    const WIDEST: u64 = 10_000;
    /// The answers aimed at, in bytes of JSON: long enough that a round trip costs little, short
    /// enough that three of them in memory do as well.
    const SHORT: usize = 1 << 20;
    const LONG: usize = 2 << 20;

    /// Never more than `widest` blocks at once, where that is given.
    pub(super) fn new(widest: Option<u64>) -> Self {
        let ceiling = widest.unwrap_or(Self::WIDEST).clamp(1, Self::WIDEST);
        Self { size: Self::START.min(ceiling), ceiling, searching: true }
    }

    /// Blocks to ask for: one at least.
    pub(super) fn get(self) -> u64 {
        self.size
    }

    /// `blocks` were answered in `bytes`. Only what was asked with at least the present size says
    /// that more would do.
    pub(super) fn answered(&mut self, blocks: u64, bytes: usize) {
        if bytes > Self::LONG {
            let fitting = u128::from(blocks) * Self::LONG as u128 / bytes as u128;
            self.shrink(u64::try_from(fitting).unwrap_or(u64::MAX));
        } else if bytes < Self::SHORT && blocks >= self.size {
            self.searching &= bytes < Self::SHORT / 2;
            let more = if self.searching { self.size } else { Self::STEP };
            self.size = self.size.saturating_add(more).min(self.ceiling);
        }
    }

    /// `blocks`, more than one, were refused.
    pub(super) fn refused(&mut self, blocks: u64, less: AskLess) {
        // Words that are not known may mean anything, an outage of a second for one.
        if less.too_large_in == Some(TooLargeIn::Blocks) {
            self.ceiling = self.ceiling.min(blocks - 1).max(1);
        }
        // A suggestion that is not smaller is none.
        let suggested = less.suggested.filter(|suggested| (1..blocks).contains(suggested));
        self.shrink(suggested.unwrap_or(blocks / 2));
    }

    fn shrink(&mut self, to: u64) {
        self.searching = false;
        self.size = self.size.min(to).clamp(1, self.ceiling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;
    const UNKNOWN: AskLess = AskLess { too_large_in: None, suggested: None };
    const TOO_WIDE: AskLess = AskLess { too_large_in: Some(TooLargeIn::Blocks), suggested: None };
    const TOO_LONG: AskLess = AskLess { too_large_in: Some(TooLargeIn::Answer), suggested: None };

    fn answer_in_full(size: &mut RangeSize, bytes: usize) {
        size.answered(size.get(), bytes);
    }

    #[test]
    fn quiet_blocks_let_it_double_to_the_ceiling() {
        let mut size = RangeSize::new(None);
        for _ in 0..10 {
            answer_in_full(&mut size, KIB);
        }
        assert_eq!(size.get(), RangeSize::WIDEST);
    }

    #[test]
    fn near_the_aim_it_grows_by_steps_and_in_it_not_at_all() {
        let mut size = RangeSize::new(None);
        answer_in_full(&mut size, 700 * KIB);
        assert_eq!(size.get(), RangeSize::START + RangeSize::STEP);
        answer_in_full(&mut size, KIB);
        assert_eq!(size.get(), RangeSize::START + 2 * RangeSize::STEP, "the search is over");
        answer_in_full(&mut size, 1_500 * KIB);
        assert_eq!(size.get(), RangeSize::START + 2 * RangeSize::STEP);
    }

    #[test]
    fn an_answer_of_just_the_length_aimed_at_changes_nothing_and_half_the_least_ends_the_search() {
        for bytes in [RangeSize::SHORT, RangeSize::LONG] {
            let mut size = RangeSize::new(None);
            answer_in_full(&mut size, bytes);
            assert_eq!(size, RangeSize::new(None));
        }
        let mut size = RangeSize::new(None);
        answer_in_full(&mut size, RangeSize::SHORT / 2);
        assert_eq!(size.get(), RangeSize::START + RangeSize::STEP);
    }

    #[test]
    fn a_long_answer_shrinks_it_in_proportion() {
        let mut size = RangeSize::new(None);
        answer_in_full(&mut size, 8 * RangeSize::LONG);
        assert_eq!(size.get(), RangeSize::START / 8);
        answer_in_full(&mut size, usize::MAX);
        assert_eq!(size.get(), 1);
    }

    #[test]
    fn an_answer_to_an_earlier_smaller_question_does_not_let_it_grow() {
        let mut size = RangeSize::new(None);
        size.answered(RangeSize::START - 1, 0);
        assert_eq!(size.get(), RangeSize::START);
    }

    #[test]
    fn a_refusal_halves_and_a_span_too_wide_is_never_tried_again() {
        for (less, later) in [(TOO_WIDE, 31), (UNKNOWN, RangeSize::WIDEST)] {
            let mut size = RangeSize::new(None);
            size.refused(32, less);
            assert_eq!(size.get(), 16);
            for _ in 0..1_000 {
                answer_in_full(&mut size, 0);
            }
            assert_eq!(size.get(), later);
        }
    }

    #[test]
    fn full_blocks_do_not_narrow_the_quiet_ones_that_follow() {
        let mut size = RangeSize::new(None);
        while size.get() > 1 {
            size.refused(size.get(), TOO_LONG);
        }
        for _ in 0..1_000 {
            answer_in_full(&mut size, 0);
        }
        assert_eq!(size.get(), RangeSize::WIDEST);
    }

    #[test]
    fn a_suggestion_is_followed_when_it_is_smaller() {
        let suggest = |suggested| AskLess { suggested: Some(suggested), ..TOO_LONG };
        let after = |less| {
            let mut size = RangeSize::new(None);
            size.refused(32, less);
            size.get()
        };
        assert_eq!(after(suggest(5)), 5);
        assert_eq!(after(suggest(32)), 16, "not smaller");
        assert_eq!(after(suggest(0)), 16, "nothing");
    }

    #[test]
    fn it_never_falls_to_nothing_nor_rises_above_what_is_allowed() {
        let mut size = RangeSize::new(Some(0));
        assert_eq!(size.get(), 1);
        answer_in_full(&mut size, 0);
        assert_eq!(size.get(), 1);
        size = RangeSize::new(Some(40));
        answer_in_full(&mut size, 0);
        assert_eq!(size.get(), 40);
    }
}
