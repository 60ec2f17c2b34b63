use super::*;
use crate::fuzzing::seeded;
use alloy::primitives::U512;
use proptest::prelude::*;

fn seconds(started_at: u64, ended_at: u64, cuts: &[(u64, Option<u64>)], most: u32) -> u32 {
    let disconnects = cuts.iter().map(|&(from, to)| Disconnect { from, to }).collect();
    Reading { started_at, ended_at, disconnects }.chargeable_seconds(most)
}

#[test]
fn whole_seconds_are_charged_and_no_more_than_the_longest_time() {
    assert_eq!(seconds(1_000, 6_999, &[], 60), 5);
    assert_eq!(seconds(1_000, 1_999, &[], 60), 0);
    assert_eq!(seconds(0, 3_600_000, &[], 60), 60);
    assert_eq!(seconds(0, u64::MAX, &[], u32::MAX), u32::MAX);
    assert_eq!(seconds(0, 3_600_000, &[], 0), 0);
}

#[test]
fn the_time_of_cuts_is_taken_off_rounded_up() {
    assert_eq!(seconds(0, 10_000, &[(2_000, Some(4_000))], 60), 8);
    assert_eq!(seconds(0, 10_000, &[(2_000, Some(2_001))], 60), 9);
    assert_eq!(seconds(0, 10_000, &[(2_000, None)], 60), 2);
    // Overlapping, one in the other, and out of order.
    assert_eq!(seconds(0, 10_000, &[(5_000, Some(7_000)), (2_000, Some(6_000))], 60), 5);
    assert_eq!(seconds(0, 10_000, &[(1_000, Some(9_000)), (3_000, Some(4_000))], 60), 2);
    // Longer than the session, and beside it.
    assert_eq!(seconds(5_000, 9_000, &[(0, Some(20_000))], 60), 0);
    assert_eq!(seconds(5_000, 9_000, &[(0, Some(5_000)), (9_000, Some(20_000))], 60), 4);
}

#[test]
fn cuts_are_added_up_before_they_are_rounded() {
    // Three of 400 ms are 1.2 s: two seconds, and not three.
    let cuts = [(1_000, Some(1_400)), (2_000, Some(2_400)), (3_000, Some(3_400))];
    assert_eq!(seconds(0, 10_000, &cuts, 60), 8);
}

#[test]
fn what_ends_before_it_begins_lasted_no_time() {
    assert_eq!(seconds(9_000, 5_000, &[(6_000, Some(7_000))], 60), 0);
    assert_eq!(seconds(0, 10_000, &[(7_000, Some(3_000))], 60), 10);
}

#[test]
fn the_longest_time_bounds_what_was_charged_and_not_what_ran() {
    // A hundred seconds, half of them cut: fifty are left, of which sixty may be charged.
    assert_eq!(seconds(0, 100_000, &[(0, Some(50_000))], 60), 50);
}

/// What [`Reading::chargeable_seconds`] should be, in another way: the times at which anything begins
/// or ends cut the session into pieces, and each piece was cut off as a whole or not at all.
fn pieced_together(started_at: u64, ended_at: u64, cuts: &[(u64, Option<u64>)], most: u32) -> u32 {
    let of = |time: u64| U512::from(time);
    let (start, end) = (of(started_at), of(ended_at));
    let mut times = vec![start, end];
    times.extend(cuts.iter().map(|&(from, _)| of(from)));
    times.extend(cuts.iter().filter_map(|&(_, to)| to).map(of));
    times.retain(|&time| start <= time && time <= end);
    times.sort_unstable();
    let (mut ran, mut lost) = (U512::ZERO, U512::ZERO);
    for piece in times.windows(2) {
        let length = piece[1] - piece[0];
        ran += length;
        let cut_off = |&(from, to): &(u64, Option<u64>)| {
            of(from) <= piece[0] && to.is_none_or(|to| piece[1] <= of(to))
        };
        if cuts.iter().any(cut_off) {
            lost += length;
        }
    }
    let second = of(1_000);
    // The platform never gains by rounding.
    let (whole, begun) = (ran / second, (lost + of(999)) / second);
    let left = if begun < whole { whole - begun } else { U512::ZERO };
    if left < U512::from(most) { u32::try_from(left).unwrap() } else { most }
}

/// Times near one another, so that cuts touch, overlap and round: at the beginning of time, today, at
/// the end of time, and anywhere.
fn readings() -> impl Strategy<Value = (u64, u64, Vec<(u64, Option<u64>)>)> {
    let base =
        prop_oneof![Just(0), Just(1_778_671_800_000), Just(u64::MAX - 20_000), any::<u64>(),];
    base.prop_flat_map(|base| {
        let near = (0..20_000_u64).prop_map(move |offset| base.saturating_add(offset));
        // Whole seconds, where rounding begins and ends.
        let round = (0..20_u64).prop_map(move |offset| base.saturating_add(offset * 1_000));
        let far = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
        let time = prop_oneof![6 => near, 3 => round, 1 => far];
        let cut = (time.clone(), prop::option::weighted(0.8, time.clone()));
        (time.clone(), time, prop::collection::vec(cut, 0..8))
    })
}

/// Seconds as sessions have them, and the extremes.
fn durations() -> impl Strategy<Value = u32> {
    prop_oneof![0..20_u32, Just(0), Just(u32::MAX), any::<u32>()]
}

proptest! {
    #![proptest_config(seeded(4_096))]

    #[test]
    fn seconds_are_those_of_the_pieces_that_were_not_cut_off(
        (started_at, ended_at, cuts) in readings(),
        most in durations(),
    ) {
        let expected = pieced_together(started_at, ended_at, &cuts, most);
        prop_assert_eq!(seconds(started_at, ended_at, &cuts, most), expected);
    }

    #[test]
    fn a_cut_told_in_two_parts_or_in_another_order_is_the_same_cut(
        (started_at, ended_at, mut cuts) in readings(),
        middle: u64,
        most in durations(),
    ) {
        let whole = seconds(started_at, ended_at, &cuts, most);
        cuts.reverse();
        if let Some((from, to)) = cuts.pop() {
            let end = to.unwrap_or(ended_at);
            let middle = if from < end { from + middle % (end - from) } else { from };
            cuts.push((middle, to));
            cuts.push((from, if from < end { Some(middle) } else { to }));
        }
        prop_assert_eq!(seconds(started_at, ended_at, &cuts, most), whole);
    }
}

fn parts(rate: u64, seconds: u32, fee_bps: u16) -> Option<(u64, u64)> {
    shares(MicroUsdc::new(rate), seconds, fee_bps)
        .map(|shares| (shares.to_amount.get(), shares.fee_amount.get()))
}

#[test]
fn what_leaves_the_pool_is_both_parts_if_that_fits_64_bits() {
    let gross = |to, fee| {
        let [to_amount, fee_amount] = [to, fee].map(MicroUsdc::new);
        Shares { to_amount, fee_amount }.gross().map(MicroUsdc::get)
    };
    assert_eq!([gross(2_833, 499), gross(u64::MAX, 0)], [Some(3_332), Some(u64::MAX)]);
    assert_eq!(gross(u64::MAX, 1), None);
}

#[test]
fn the_published_examples_hold() {
    assert_eq!(parts(1_000, 5, 1_500), Some((4_250, 750)));
    assert_eq!(parts(1_000, 360, 500), Some((342_000, 18_000)));
    assert_eq!(parts(1_111, 3, 1_500), Some((2_833, 499)));
}

#[test]
fn a_price_past_64_bits_has_no_shares() {
    assert_eq!(parts(u64::MAX, 2, 1_500), None);
    assert!(parts(u64::MAX, 1, 2_000).is_some());
    assert_eq!(parts(1 << 32, u32::MAX, 0), Some((u64::MAX - u64::from(u32::MAX), 0)));
    assert_eq!(parts((1 << 32) + 2, u32::MAX, 0), None);
}

#[test]
fn no_fee_past_the_ceiling_has_shares_be_the_price_what_it_may() {
    for fee_bps in MAX_FEE_BPS + 1..=u16::MAX {
        assert_eq!([parts(1_000, 1, fee_bps), parts(0, 0, fee_bps)], [None, None], "{fee_bps}");
    }
}

/// The whole µUSDC in `bps` basis points of `price`, found by trying: the most that are not more.
fn whole_part(price: U512, bps: u16) -> U512 {
    let (mut least, mut more) = (U512::ZERO, price + U512::ONE);
    while least + U512::ONE < more {
        let tried = (least + more) >> 1;
        if tried * U512::from(10_000) <= price * U512::from(bps) {
            least = tried;
        } else {
            more = tried;
        }
    }
    least
}

/// Whether the contract takes a payment, by its rules (docs/SECURITY.md, invariant 5).
fn is_taken(rate: u64, seconds: u32, to: u64, fee: u64) -> bool {
    let [rate, to, fee] = [rate, to, fee].map(U512::from);
    let gross = to + fee;
    !gross.is_zero()
        && gross <= U512::from(u64::MAX)
        && gross <= rate * U512::from(seconds)
        && fee * U512::from(10_000) <= gross * U512::from(2_000)
}

#[test]
fn every_fee_of_every_small_price_is_taken_by_the_contract_but_that_of_nothing() {
    for price in 0..50 {
        for fee_bps in 0..=MAX_FEE_BPS {
            let (to, fee) = parts(price, 1, fee_bps).unwrap();
            // Both parts of 1 µUSDC are rounded down to nothing.
            let nothing = price == 0 || (price == 1 && fee_bps > 0);
            assert_eq!((to, fee) == (0, 0), nothing, "{price} at {fee_bps}");
            assert_eq!(is_taken(price, 1, to, fee), !nothing, "{price} at {fee_bps}");
        }
    }
}

/// Prices of every size, and those that just do or do not fit 64 bits.
fn prices() -> impl Strategy<Value = (u64, u32)> {
    let any_size = (any::<u64>(), 0..64_u32).prop_map(|(bits, size)| bits >> size);
    let at_the_bound = (1..=u32::MAX, 0..3_u64).prop_map(|(seconds, over)| {
        ((u64::MAX / u64::from(seconds)).saturating_add(over).saturating_sub(1), seconds)
    });
    prop_oneof![
        3 => (any_size, durations()),
        1 => at_the_bound,
    ]
}

proptest! {
    #![proptest_config(seeded(4_096))]

    #[test]
    fn each_part_is_the_most_that_is_not_more_than_its_share_and_the_contract_takes_both(
        (rate, seconds) in prices(),
        fee_bps in prop_oneof![0..=MAX_FEE_BPS, Just(MAX_FEE_BPS), Just(0)],
    ) {
        let price = U512::from(rate) * U512::from(seconds);
        let Some((to, fee)) = parts(rate, seconds, fee_bps) else {
            prop_assert!(price > U512::from(u64::MAX));
            return Ok(());
        };
        prop_assert!(price <= U512::from(u64::MAX));
        prop_assert_eq!(U512::from(to), whole_part(price, 10_000 - fee_bps));
        prop_assert_eq!(U512::from(fee), whole_part(price, fee_bps));
        let gross = U512::from(to) + U512::from(fee);
        prop_assert!(gross == price || gross + U512::ONE == price);
        prop_assert!(gross.is_zero() || is_taken(rate, seconds, to, fee));
    }
}
