//! Random draws that have an address: (seed, owner, purpose, k). They are looked up, not consumed.
//!
//! A new component, a new link or a skipped heartbeat therefore moves no other draw. ChaCha is made
//! for it: the stream is a hash of owner and purpose, the word position is k. This file does not
//! know who owns draws.

use super::{Duration, Text};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::cell::RefCell;

/// All random numbers of a run.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    base: ChaCha8Rng,
}

/// Who draws: a process, a link; hashed once from its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(u64);

/// What a draw is for, numbered by its owner; a new purpose takes a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purpose(pub u16);

/// A delay that is drawn between two bounds, both possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    pub low: Duration,
    pub high: Duration,
}

impl Random {
    /// The random numbers of a run with this seed.
    pub fn new(seed: u64) -> Random {
        Random { seed, base: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The `k`-th draw of an owner for a purpose.
    pub fn draw(&self, owner: Owner, purpose: Purpose, k: u64) -> u64 {
        let stream = mixed(owner.0 ^ mixed(u64::from(purpose.0)));
        RECENT.with_borrow_mut(|recent| recent.block(self, stream, k / DRAWS)[place(k, DRAWS)])
    }

    /// The draw in serving the `count`-th request of a sender.
    pub fn draw_for(&self, purpose: Purpose, sender: Owner, count: u64) -> u64 {
        // A server has one stream per sender: its own name is in the purpose's number only.
        self.draw(sender.part(u64::from(purpose.0) + 1), purpose, count)
    }

    /// How long serving the `count`-th request of a sender takes.
    pub fn delay_for(&self, purpose: Purpose, delay: Delay, sender: Owner, count: u64) -> Duration {
        if delay.low == delay.high {
            return delay.low;
        }
        delay.pick(self.draw_for(purpose, sender, count))
    }
}

impl Owner {
    /// The owner of this name.
    pub fn named(name: &str) -> Owner {
        Owner(fnv1a(name.as_bytes()))
    }

    /// The number itself: a stable hash of the name.
    pub fn number(self) -> u64 {
        self.0
    }

    /// A part of this owner, for example a server's draws for one of its clients.
    pub fn part(self, part: u64) -> Owner {
        Owner(mixed(self.0 ^ part))
    }
}

impl Delay {
    /// Always the same length.
    pub const fn fixed(length: Duration) -> Delay {
        Delay { low: length, high: length }
    }

    /// The length that a draw chooses.
    pub fn pick(self, draw: u64) -> Duration {
        self.low + below(self.high.saturating_sub(self.low) + Duration::from_micros(1), draw)
    }
}

/// A length below `bound`, uniform over its microseconds; nothing if the bound is nothing.
pub fn below(bound: Duration, draw: u64) -> Duration {
    Duration::from_micros(index_below(bound.as_micros(), draw))
}

/// A number below `bound`, uniform but for a bias under `bound / 2^64`.
pub fn index_below(bound: u64, draw: u64) -> u64 {
    u64::try_from((u128::from(draw) * u128::from(bound)) >> 64).expect("below a 64-bit bound")
}

/// A name's random suffix as Kubernetes makes it: five letters without vowels and lookalikes.
pub fn name_suffix(mut draw: u64) -> Text {
    // The alphabet of k8s.io/apimachinery's util/rand.
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut letters = String::with_capacity(5);
    for _ in 0..5 {
        letters.push(char::from(ALPHABET[usize::try_from(draw % 27).expect("a small index")]));
        draw /= 27;
    }
    Text::from(letters)
}

/// FNV-1a: fixed for ever, unlike the standard library's hasher.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The finalizer of SplitMix64: neighbors become strangers.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// How many draws the generator makes at once.
const DRAWS: u64 = 32;
/// How many blocks are remembered: about as many as streams are in use in a cluster of six VMs.
const BLOCKS: u64 = 512;

thread_local! {
    static RECENT: RefCell<Recent> = const { RefCell::new(Recent(Vec::new())) };
}

/// The blocks that were looked into last, each at the place that its stream has. Who draws again
/// mostly wants the next number of a block, and one draw costs as much as all 32. What is
/// remembered are values of a function, so all runs of a thread may share it.
struct Recent(Vec<Block>);

/// Draws of a stream that follow each other.
#[derive(Clone, Copy)]
struct Block {
    /// The seed, the stream and which of its blocks.
    of: Option<(u64, u64, u64)>,
    draws: [u64; DRAWS as usize],
}

impl Recent {
    fn block(&mut self, random: &Random, stream: u64, number: u64) -> &[u64; DRAWS as usize] {
        if self.0.is_empty() {
            self.0 = vec![Block { of: None, draws: [0; DRAWS as usize] }; BLOCKS as usize];
        }
        let block = &mut self.0[place(stream, BLOCKS)];
        let of = Some((random.seed, stream, number));
        if block.of != of {
            let mut generator = random.base.clone();
            generator.set_stream(stream);
            generator.set_word_pos(2 * u128::from(DRAWS) * u128::from(number));
            block.draws.fill_with(|| generator.next_u64());
            block.of = of;
        }
        &block.draws
    }
}

fn place(number: u64, places: u64) -> usize {
    usize::try_from(number % places).expect("a small index")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_fixed_for_ever() {
        let random = Random::new(7);
        let owner = Owner::named("kubelet@worker-0");
        let draws: Vec<u64> = (0..3).map(|k| random.draw(owner, Purpose(1), k)).collect();
        assert_eq!(draws, PINNED, "a changed generator changes every run");
    }

    const PINNED: [u64; 3] =
        [9_218_369_370_380_097_855, 7_072_304_011_778_932_720, 937_465_687_780_161_661];

    #[test]
    fn a_draw_depends_on_each_part_of_its_address_and_on_nothing_else() {
        let random = Random::new(7);
        let (a, b) = (Owner::named("a"), Owner::named("b"));
        let draw = random.draw(a, Purpose(0), 5);
        assert_ne!(draw, random.draw(b, Purpose(0), 5));
        assert_ne!(draw, random.draw(a, Purpose(1), 5));
        assert_ne!(draw, random.draw(a, Purpose(0), 6));
        assert_ne!(draw, Random::new(8).draw(a, Purpose(0), 5));
        assert_eq!(draw, random.draw(a, Purpose(0), 5));
    }

    #[test]
    fn a_draw_is_what_the_generator_gives_at_its_place_however_often_others_draw() {
        let random = [Random::new(7), Random::new(8)];
        let owners: Vec<Owner> = (0..3 * BLOCKS).map(|part| Owner::default().part(part)).collect();
        for k in [0, 1, DRAWS - 1, DRAWS, 1_000_000, u64::MAX / 2] {
            for (random, owner) in
                random.iter().flat_map(|random| owners.iter().map(move |it| (random, *it)))
            {
                let mut generator = random.base.clone();
                generator.set_stream(mixed(owner.0 ^ mixed(3)));
                generator.set_word_pos(2 * u128::from(k));
                assert_eq!(random.draw(owner, Purpose(3), k), generator.next_u64(), "{k}");
            }
        }
    }

    #[test]
    fn an_owner_and_each_of_its_parts_draw_apart() {
        let owner = Owner::named("kube-apiserver@control-plane-0");
        let parts = (0..64).map(|part| owner.part(part).number());
        let numbers: std::collections::BTreeSet<u64> = parts.chain([owner.number()]).collect();
        assert_eq!(numbers.len(), 65);
    }

    #[test]
    fn a_name_ends_in_five_letters_that_the_draw_spells_from_the_left() {
        for (draw, letters) in [(0, "bbbbb"), (26, "9bbbb"), (27, "bcbbb"), (29 * 27 + 2, "ddcbb")]
        {
            assert_eq!(name_suffix(draw), letters, "{draw}");
        }
        assert_eq!(name_suffix(u64::MAX).len(), 5);
    }

    #[test]
    fn a_delay_reaches_both_bounds_and_no_further() {
        let delay = Delay { low: Duration::from_micros(5), high: Duration::from_micros(7) };
        assert_eq!(delay.pick(0), delay.low);
        assert_eq!(delay.pick(u64::MAX), delay.high);
        assert_eq!(Delay::fixed(delay.low).pick(u64::MAX), delay.low);
        assert_eq!(below(Duration::ZERO, u64::MAX), Duration::ZERO);
    }
}
