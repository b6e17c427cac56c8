//! The stored form of positions: per latent, ascending, four numbers in LEB128: the latent less the
//! one before, the token, the first character, the number of characters.

use crate::document::LatentPosition;
use crate::error::{Error, Result};

/// The bytes of positions, which ascend by latent.
pub(crate) fn encode(positions: &[LatentPosition]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(positions.len() * 5);
    let mut previous = 0;
    for position in positions {
        put(&mut bytes, position.latent.wrapping_sub(previous));
        put(&mut bytes, position.token);
        put(&mut bytes, position.start);
        put(&mut bytes, position.end.wrapping_sub(position.start));
        previous = position.latent;
    }
    bytes
}

/// The positions of bytes.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<Vec<LatentPosition>> {
    let mut positions = Vec::new();
    let mut latent = 0_u32;
    while !bytes.is_empty() {
        latent = latent.wrapping_add(take(&mut bytes)?);
        let (token, start) = (take(&mut bytes)?, take(&mut bytes)?);
        positions.push(LatentPosition {
            latent,
            token,
            start,
            end: start.wrapping_add(take(&mut bytes)?),
        });
    }
    Ok(positions)
}

fn put(bytes: &mut Vec<u8>, mut number: u32) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> Result<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes
            .split_first()
            .ok_or_else(|| Error::corrupted("stored positions are cut short"))?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::corrupted("a stored position is too large a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_damage_is_seen() {
        let positions: Vec<LatentPosition> = [
            (0, 0, 0, 0),
            (1, 5, 127, 128),
            (70_000, 300, 16_384, 16_390),
            (u32::MAX, u32::MAX, 0, u32::MAX),
        ]
        .map(|(latent, token, start, end)| LatentPosition {
            latent,
            token,
            start,
            end,
        })
        .to_vec();
        let bytes = encode(&positions);
        assert_eq!(decode(&bytes).unwrap(), positions);
        assert!(decode(&[]).unwrap().is_empty());
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[0xff; 6]).is_err());
        // A usual entry takes five bytes.
        let usual = LatentPosition {
            latent: 100,
            token: 20,
            start: 90,
            end: 97,
        };
        assert_eq!(encode(&[usual]).len(), 4);
    }
}
