use super::Position;
use alloy::primitives::B256;
use uuid::Uuid;

/// Which side of an event a wallet is on. Only a settlement has a second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The account itself: the consumer of a settlement; the only side of everything else.
    Account,
    /// The operator of a settlement.
    Payee,
}

/// The name of one side of an event: a UUIDv8 that is the same after every rebuild.
///
/// 122 bits, from the top: block number 40, log index 23, side 1, the first 58 bits of the block's
/// hash; the remaining six are the UUID's version and variant. The order of ids is the order of the
/// chain, and the position can be read back, so a page is found without a look-up, and an id of a
/// block that was since replaced still says where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    position: Position,
    side: Side,
    hash_prefix: u64,
}

/// Blocks have 40 bits: at Base's two seconds, 69,000 years.
const BLOCK_BITS: u32 = 40;
/// Log indices have 23 bits. A log costs at least 375 gas, so a block with more than 2^23 of them
/// would need three billion gas.
const LOG_INDEX_BITS: u32 = 23;
const SIDE_BITS: u32 = 1;
const HASH_BITS: u32 = 58;
/// The bits between the UUID's version and its variant.
const MIDDLE_BITS: u32 = 12;
/// The bits behind the UUID's variant.
const LOW_BITS: u32 = 62;
const VERSION: usize = 8;

impl EventId {
    /// The id of one side of the event at `position` of the block with hash `block_hash`, or `None`
    /// where the position does not fit its bits.
    #[must_use]
    pub fn new(position: Position, side: Side, block_hash: B256) -> Option<Self> {
        let fits = position.block >> BLOCK_BITS == 0 && position.log_index >> LOG_INDEX_BITS == 0;
        let prefix = u64::from_be_bytes(block_hash[..8].try_into().expect("a hash has 32 bytes"));
        fits.then_some(Self { position, side, hash_prefix: prefix >> (u64::BITS - HASH_BITS) })
    }

    /// The id in `uuid`, or `None` where it is no id of ours.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Option<Self> {
        if uuid.get_version_num() != VERSION || uuid.get_variant() != uuid::Variant::RFC4122 {
            return None;
        }
        let bits = uuid.as_u128();
        let high = bits >> (128 - 48);
        let middle = (bits >> 64) & mask(MIDDLE_BITS);
        let packed =
            (high << (MIDDLE_BITS + LOW_BITS)) | (middle << LOW_BITS) | (bits & mask(LOW_BITS));
        let take = |from: u32, width: u32| (packed >> from) & mask(width);
        let side = if take(HASH_BITS, SIDE_BITS) == 0 { Side::Account } else { Side::Payee };
        Some(Self {
            position: Position {
                block: u64::try_from(take(HASH_BITS + SIDE_BITS + LOG_INDEX_BITS, BLOCK_BITS))
                    .ok()?,
                log_index: u32::try_from(take(HASH_BITS + SIDE_BITS, LOG_INDEX_BITS)).ok()?,
            },
            side,
            hash_prefix: u64::try_from(take(0, HASH_BITS)).ok()?,
        })
    }

    /// The id as a UUID.
    #[must_use]
    pub fn to_uuid(self) -> Uuid {
        let side = match self.side {
            Side::Account => 0,
            Side::Payee => 1u128,
        };
        let packed = (u128::from(self.position.block) << (LOG_INDEX_BITS + SIDE_BITS + HASH_BITS))
            | (u128::from(self.position.log_index) << (SIDE_BITS + HASH_BITS))
            | (side << HASH_BITS)
            | u128::from(self.hash_prefix);
        let high = packed >> (MIDDLE_BITS + LOW_BITS);
        let middle = (packed >> LOW_BITS) & mask(MIDDLE_BITS);
        let bits = (high << 80)
            | (0x8 << 76)
            | (middle << 64)
            | (0b10 << LOW_BITS)
            | (packed & mask(LOW_BITS));
        Uuid::from_u128(bits)
    }

    /// Where the event stands.
    #[must_use]
    pub fn position(self) -> Position {
        self.position
    }

    /// Which side of the event this names.
    #[must_use]
    pub fn side(self) -> Side {
        self.side
    }
}

const fn mask(bits: u32) -> u128 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::seeded;
    use proptest::prelude::*;

    fn positions() -> impl Strategy<Value = Position> {
        (0..1u64 << BLOCK_BITS, 0..1u32 << LOG_INDEX_BITS)
            .prop_map(|(block, log_index)| Position { block, log_index })
    }

    fn sides() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Account), Just(Side::Payee)]
    }

    proptest! {
        #![proptest_config(seeded(256))]

        #[test]
        fn an_id_reads_back_whole(position in positions(), side in sides(), hash: [u8; 32]) {
            let id = EventId::new(position, side, hash.into()).unwrap();
            prop_assert_eq!(EventId::from_uuid(id.to_uuid()), Some(id));
            prop_assert_eq!((id.position(), id.side()), (position, side));
        }

        #[test]
        fn ids_are_ordered_as_the_chain_is(
            (a, b) in (positions(), positions()),
            (side_a, side_b) in (sides(), sides()),
            hash: [u8; 32],
        ) {
            prop_assume!((a, side_a) < (b, side_b));
            let id = |position, side| EventId::new(position, side, hash.into()).unwrap().to_uuid();
            prop_assert!(id(a, side_a) < id(b, side_b));
        }

        #[test]
        fn any_uuid_is_ours_whole_or_refused(bits: u128) {
            let uuid = Uuid::from_u128(bits);
            prop_assert!(EventId::from_uuid(uuid).is_none_or(|id| id.to_uuid() == uuid));
        }
    }

    #[test]
    fn an_id_is_a_valid_uuid_of_version_8() {
        let id = EventId::new(Position { block: 1, log_index: 0 }, Side::Account, B256::ZERO);
        let uuid = id.unwrap().to_uuid();
        assert_eq!(uuid.to_string(), "00000000-0100-8000-8000-000000000000");
        assert_eq!(EventId::from_uuid(Uuid::new_v4()), None);
    }

    #[test]
    fn a_position_past_its_bits_has_no_id() {
        let id = |block, log_index| {
            EventId::new(Position { block, log_index }, Side::Account, B256::ZERO)
        };
        assert_eq!(id(1 << BLOCK_BITS, 0), None);
        assert_eq!(id(0, 1 << LOG_INDEX_BITS), None);
        assert!(id((1 << BLOCK_BITS) - 1, (1 << LOG_INDEX_BITS) - 1).is_some());
    }
}
