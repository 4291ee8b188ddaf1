//! Holds sparse runs against dense ones, event by event counted and entry by entry compared: what
//! `docs/speed.md` is made of. Prints Markdown; ends with an error at the first difference.
//!
//! `cargo run --release --example sparse -- scenarios 200` plays every embedded scenario on every
//! platform with so many seeds, `-- schedules 1..10000 tkgs-2024` random schedules of faults, and
//! `-- sizes 10 100 1000` one worker's disaster among so many workers.

use healsim::analysis::fuzz::Deck;
use healsim::engine::Duration;
use healsim::scenario::{Game, Scenario, Source, load, models};
use healsim::timeline::Run;
use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two runs of one game: how many events each took, and how long in all.
#[derive(Clone, Copy, Debug, Default)]
struct Both {
    runs: u64,
    events: [u64; 2],
    micros: [u128; 2],
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["scenarios", seeds] => scenarios(seeds.parse()?),
        ["schedules", range, platform] => {
            let (first, last) = range.split_once("..").ok_or("seeds are written FIRST..LAST")?;
            schedules(first.parse()?..=last.parse()?, platform)
        }
        ["sizes", ref workers @ ..] => {
            let sizes = workers.iter().map(|count| count.parse()).collect::<Result<Vec<u32>, _>>();
            sizes?.into_iter().try_for_each(size)
        }
        _ => Err("write scenarios SEEDS, schedules FIRST..LAST PLATFORM, or sizes COUNT...".into()),
    }
}

fn scenarios(seeds: u64) -> Result<(), Box<dyn Error>> {
    println!("| scenario | platforms | runs | events, dense | sparse | of them | time |");
    println!("|---|---|---|---|---|---|---|");
    for name in models::scenarios() {
        let scenario = load(name).map_err(first_of)?;
        let platforms = [None, Some("tkgs-2024"), Some("tkgs-current")];
        let on = |platform| Game::new(&scenario, platform, &[], None).ok();
        let games: Vec<Game> = platforms.into_iter().filter_map(on).collect();
        let mut all = Both::default();
        for game in &games {
            all = all.and(in_parallel(1..=seeds, |seed| both(game, seed))?);
        }
        println!("| {name} | {} | {} |", games.len(), all.row());
    }
    Ok(())
}

fn schedules(seeds: std::ops::RangeInclusive<u64>, platform: &str) -> Result<(), Box<dyn Error>> {
    let deck = Deck::new(platform, &[]).map_err(|wrong| format!("{wrong:?}"))?;
    let all = in_parallel(seeds, |seed| {
        let schedule = deck.draw(seed);
        // Long enough for its faults; few come late.
        let lengths = [45, 90, 240].map(|minutes| Duration::from_secs(minutes * 60));
        let game = lengths.into_iter().find_map(|length| schedule.game(length).ok());
        both(&game.ok_or("a schedule that ends within four hours")?, seed)
    })?;
    println!("| random schedules on {platform} | 1 | {} |", all.row());
    Ok(())
}

fn size(workers: u32) -> Result<(), Box<dyn Error>> {
    let text = format!(
        "apiVersion: healsim/v1\nkind: Scenario\nmetadata: {{ name: of-{workers} }}\nspec:\n  \
         platform: tkgs-2024\n  cluster: {{ workers: {workers} }}\n  faults:\n    - {{ at: 1m, \
         stopUnit: {{ vm: worker-0, unit: kubelet }} }}\n  until: 15m\n"
    );
    let source = Source::embedded("made-up.yaml", &text);
    let scenario = Scenario::read(source).map_err(|wrong| wrong.to_string())?;
    let game = Game::new(&scenario, None, &[], None).map_err(first_of)?;
    let all = both(&game, 1)?;
    println!("| a kubelet of {workers} workers is stopped | 1 | {} |", all.row());
    Ok(())
}

#[expect(clippy::disallowed_types, reason = "it tells how long it took")]
fn timed(game: &Game, seed: u64) -> (Run, u128) {
    let begun = std::time::Instant::now();
    let run = game.play(seed);
    (run, begun.elapsed().as_micros())
}

/// Plays a game in both ways; an error if they differ in anything but the number of events.
fn both(game: &Game, seed: u64) -> Result<Both, String> {
    let (mut sparse, quick) = timed(game, seed);
    let (mut dense, slow) = timed(&game.clone().dense(), seed);
    let events = [sparse.engine_events, dense.engine_events];
    (sparse.engine_events, dense.engine_events) = (0, 0);
    if format!("{sparse:?}") == format!("{dense:?}") {
        return Ok(Both { runs: 1, events, micros: [quick, slow] });
    }
    let entries = sparse.timeline.entries().iter().zip(dense.timeline.entries());
    let parts = entries.into_iter().find(|(entry, other)| entry != other);
    Err(format!("{} on {}, seed {seed}: they part at {parts:?}", game.scenario, game.platform))
}

/// Sums what two threads do, each with every other seed.
fn in_parallel(
    seeds: std::ops::RangeInclusive<u64>,
    play: impl Fn(u64) -> Result<Both, String> + Sync,
) -> Result<Both, String> {
    let next = AtomicU64::new(*seeds.start());
    let work = || {
        let mut sum = Both::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > *seeds.end() {
                return Ok(sum);
            }
            sum = sum.and(play(seed)?);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let sums = working.into_iter().map(|it| it.join().expect("a thread that ends"));
        sums.collect::<Result<Vec<Both>, String>>()
    })
    .map(|sums| sums.into_iter().fold(Both::default(), Both::and))
}

impl Both {
    fn and(self, other: Both) -> Both {
        let add = |place: usize| self.events[place] + other.events[place];
        let micros = |place: usize| self.micros[place] + other.micros[place];
        Both {
            runs: self.runs + other.runs,
            events: [add(0), add(1)],
            micros: [micros(0), micros(1)],
        }
    }

    fn row(&self) -> String {
        let [sparse, dense] = self.events;
        let [quick, slow] = self.micros;
        format!(
            "{} | {} | {} | {} % | {} %",
            self.runs,
            dense / self.runs,
            sparse / self.runs,
            sparse * 100 / dense,
            quick * 100 / slow
        )
    }
}

fn first_of(mistakes: healsim::scenario::Mistakes) -> String {
    mistakes[0].to_string()
}
