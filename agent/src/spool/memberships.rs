//! Decides how memberships lie in the spool: packed, since every row of a large domain has one.

use rollcall_protocol::person::InImport;
use uuid::Uuid;

/// Packs memberships: import, number of selections, the selections.
pub fn pack(memberships: &[InImport]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(memberships.len() * 34);
    for membership in memberships {
        packed.extend_from_slice(membership.import.as_bytes());
        let count = u16::try_from(membership.via.len()).unwrap_or(u16::MAX);
        packed.extend_from_slice(&count.to_be_bytes());
        for via in membership.via.iter().take(usize::from(count)) {
            packed.extend_from_slice(via.as_bytes());
        }
    }
    packed
}

/// Unpacks them; `None` if the bytes were not packed by [`pack`].
pub fn unpack(mut packed: &[u8]) -> Option<Vec<InImport>> {
    let mut memberships = Vec::new();
    while !packed.is_empty() {
        let import = take_guid(&mut packed)?;
        let (count, rest) = packed.split_first_chunk::<2>()?;
        packed = rest;
        let via = (0..u16::from_be_bytes(*count)).map(|_| take_guid(&mut packed)).collect::<Option<_>>()?;
        memberships.push(InImport { import, via });
    }
    Some(memberships)
}

fn take_guid(packed: &mut &[u8]) -> Option<Uuid> {
    let (guid, rest) = packed.split_first_chunk::<16>()?;
    *packed = rest;
    Some(Uuid::from_bytes(*guid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked_and_a_cut_row_is_noticed() {
        let memberships = vec![
            InImport { import: Uuid::from_u128(1), via: vec![Uuid::from_u128(2), Uuid::from_u128(3)] },
            InImport { import: Uuid::from_u128(4), via: vec![Uuid::from_u128(2)] },
        ];
        let packed = pack(&memberships);

        assert_eq!(unpack(&packed), Some(memberships));
        assert_eq!(unpack(&packed[..packed.len() - 1]), None);
    }
}
