//! Inputs of any text: what is taken has one meaning, and what is refused is named.

use super::*;
use crate::{
    api::time,
    fuzzing::{fuzzed, spoiled_text},
    ledger::{Position, Side},
};
use luxxon_bindings::SessionId;
use proptest::{option, prelude::*, sample::select};

fn uuids() -> impl Strategy<Value = String> {
    let uuid = any::<u128>().prop_map(Uuid::from_u128);
    let forms = (uuid, 0..5_u8).prop_map(|(uuid, form)| match form {
        0 | 1 => uuid.to_string(),
        2 => uuid.to_string().to_uppercase(),
        3 => uuid.simple().to_string(),
        _ => uuid.braced().to_string(),
    });
    spoiled_text(forms)
}

fn cursors() -> impl Strategy<Value = String> {
    let id = (any::<u64>(), any::<u32>(), any::<bool>(), any::<[u8; 32]>());
    let id = id.prop_map(|(block, log_index, payee, hash)| {
        let position = Position { block: block >> 24, log_index: log_index >> 9 };
        let side = if payee { Side::Payee } else { Side::Account };
        EventId::new(position, side, hash.into()).unwrap().to_uuid().to_string()
    });
    prop_oneof![2 => spoiled_text(id), 1 => uuids()]
}

/// Numbers around the bounds that matter, and what is nearly one.
fn numbers() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0..250_u128),
        any::<u64>().prop_map(u128::from),
        (0..4_u128).prop_map(|past| u128::from(u64::MAX) - 1 + past),
        any::<u128>(),
    ];
    let sign = option::weighted(0.2, select(vec!["+", "-", "0", " ", "000", "٣", "0x"]));
    let text = (sign, number).prop_map(|(sign, it)| format!("{}{it}", sign.unwrap_or_default()));
    prop_oneof![3 => text.clone(), 1 => spoiled_text(text)]
}

/// The number that `text` is, if it is digits and fits: by another way than the parsers take.
fn digits(text: &str) -> Option<u64> {
    let mut number = 0_u128;
    for letter in text.chars() {
        let digit = "0123456789".find(letter)?;
        number = (number * 10 + digit as u128).min(u128::MAX / 100);
    }
    (!text.is_empty()).then(|| u64::try_from(number).ok()).flatten()
}

fn times() -> impl Strategy<Value = String> {
    let good = (0..253_402_300_799_999_u64, select(vec!["Z", "z", "+00:00", "-00:00", "+02:30"]));
    let good = good.prop_map(|(milliseconds, offset)| {
        let text = time::of_unix(milliseconds / 1_000).unwrap();
        format!("{}.{:03}{offset}", &text[..19], milliseconds % 1_000)
    });
    spoiled_text(good)
}

proptest! {
    #![proptest_config(fuzzed())]

    #[test]
    fn fuzz_a_uuid_is_its_36_characters_in_either_case_and_one_session(text in uuids()) {
        let hyphens = [8, 13, 18, 23];
        let canonical = text.len() == 36 && text.bytes().enumerate().all(|(place, byte)| {
            if hyphens.contains(&place) { byte == b'-' } else { byte.is_ascii_hexdigit() }
        });
        let taken = uuid(&text);
        prop_assert_eq!(taken.is_some(), canonical);
        if let Some(taken) = taken {
            prop_assert_eq!(taken.to_string(), text.to_lowercase());
            let session = SessionId(alloy::primitives::keccak256(text.to_lowercase()));
            prop_assert_eq!(SessionId::of(taken), session);
        }
    }

    #[test]
    fn fuzz_a_cursor_is_an_id_of_an_event_or_named(text in cursors()) {
        match cursor(&text) {
            Ok(id) => {
                prop_assert_eq!(id.to_uuid().to_string(), text.to_lowercase());
                prop_assert!(id.position().block < 1 << 40 && id.position().log_index < 1 << 23);
            }
            Err(refusal) => {
                prop_assert_eq!(refusal, invalid("cursor:malformed"));
                // Version 8 and the variant of RFC 9562 are all that makes a UUID one of ours.
                let marks = (text.get(14..15), text.get(19..20).map(str::to_lowercase));
                let ours = matches!(marks, (Some("8"), Some(mark)) if "89ab".contains(&mark));
                prop_assert!(uuid(&text).is_none() || !ours);
            }
        }
    }

    #[test]
    fn fuzz_numbers_are_digits_that_fit_or_named(text in numbers()) {
        let number = digits(&text);
        prop_assert_eq!(micro_usdc(&text).map(MicroUsdc::get), number);
        let height = block(&text, "fromBlock:malformed");
        prop_assert_eq!(height, number.ok_or_else(|| invalid("fromBlock:malformed")));
        let page = number.filter(|number| (1..=200).contains(number));
        let page = page.ok_or_else(|| invalid("limit:outOfRange"));
        prop_assert_eq!(limit(&text).map(u64::from), page);
    }

    #[test]
    fn fuzz_a_kind_is_a_published_name_to_the_letter(
        text in spoiled_text(select(EventKind::ALL.map(|it| it.as_str().to_owned()).to_vec())),
    ) {
        let known = EventKind::ALL.into_iter().any(|kind| kind.as_str() == text);
        match kind(&text) {
            Ok(kind) => prop_assert_eq!(kind.as_str(), text),
            Err(refusal) => {
                prop_assert!(!known);
                prop_assert_eq!(refusal, invalid("kind:unknown"));
            }
        }
    }

    #[test]
    fn fuzz_an_address_is_0x_and_40_digits_with_their_checksum_if_any(
        text in (any::<[u8; 20]>(), 0..3_u8).prop_flat_map(|(bytes, case)| {
            let text = Address::from(bytes).to_string();
            let text = match case { 0 => text, 1 => text.to_lowercase(), _ => {
                format!("0x{}", text[2..].to_uppercase())
            }};
            spoiled_text(Just(text))
        }),
    ) {
        let taken = address(&text);
        let hex = text.strip_prefix("0x").filter(|rest| rest.len() == 40);
        let hex = hex.filter(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let checksum = taken.map(|address| address.to_string());
        let one_case = hex.is_some_and(|hex| {
            hex == hex.to_lowercase() || hex == hex.to_uppercase()
        });
        if taken.is_some() {
            prop_assert!(hex.is_some());
            prop_assert!(one_case || checksum.as_deref() == Some(&text[..]));
            prop_assert_eq!(checksum.unwrap().to_lowercase(), text.to_lowercase());
        } else {
            prop_assert!(!one_case);
        }
    }

    #[test]
    fn fuzz_a_time_is_the_moment_it_says_or_none(text in times()) {
        if let Some(milliseconds) = time::unix_milliseconds(&text) {
            let seconds = time::of_unix(milliseconds / 1_000).unwrap();
            let again = format!("{}.{:03}Z", &seconds[..19], milliseconds % 1_000);
            prop_assert_eq!(time::unix_milliseconds(&again), Some(milliseconds));
            let utc = ["Z", "z", "+00:00", "-00:00"].iter().any(|offset| text.ends_with(offset));
            prop_assert!(!utc || text[..19].to_uppercase() == again[..19], "{} is {}", text, again);
        }
    }
}
