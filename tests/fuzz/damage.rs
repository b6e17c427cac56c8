//! Inputs out of valid ones, damaged at random, and how long they are tried.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Inputs of a run without a time.
const INPUTS: u64 = 300;
/// Bytes that decoders trip over.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\"",
    b"'",
    b"(",
    b"[",
    b"{",
    b")",
    b"]",
    b"}",
    b",",
    b"-",
    b"NaN",
    b"1e999",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"\xf0\x9f\x91\x8d",
    b"\xed\xa0\x80",
    b"\\u0000",
    b"\r\n",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x08",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Tries damaged inputs: some hundred, or for as long as `LATENTDB_FUZZ_SECONDS` says. A panic names the seed.
pub fn fuzz(what: &str, seeds: &[Vec<u8>], mut attempt: impl FnMut(&[u8])) {
    let until = number("LATENTDB_FUZZ_SECONDS")
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let first = number("LATENTDB_SEED").unwrap_or(0);
    let mut tried = 0;
    while match until {
        Some(until) => Instant::now() < until,
        None => tried < INPUTS,
    } {
        let seed = first + tried;
        let input = damaged(seeds, &mut StdRng::seed_from_u64(seed));
        let ended = catch_unwind(AssertUnwindSafe(|| attempt(&input)));
        if let Err(panic) = ended {
            println!(
                "{what}: LATENTDB_SEED={seed}, {:?}",
                String::from_utf8_lossy(&input)
            );
            resume_unwind(panic);
        }
        tried += 1;
    }
    println!("{what}: {tried} inputs from seed {first}");
}

/// One of the seeds with up to eight changes.
pub fn damaged(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(0..8) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..16)).min(bytes.len());
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => drop(bytes.splice(at..end, [])),
            3 => {
                let piece = bytes[at..end].to_vec();
                let times = random.random_range(1..20);
                drop(bytes.splice(at..at, piece.repeat(times)));
            }
            4 => bytes.truncate(at),
            5 => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let odd = ODD[random.random_range(0..ODD.len())];
                drop(bytes.splice(at..at, odd.iter().copied()));
            }
        }
    }
    bytes
}
