//! What is seen of a long estimate while it runs, on standard error, and Ctrl-C.
//!
//! The only place that looks at the real clock: nothing of it reaches a result.

use crate::analysis::Control;
use crate::engine::counted;
use std::io::{self, IsTerminal, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// Who wants to see progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A person at a terminal; nobody else.
    IfTerminal,
    /// Anybody: a line every five seconds.
    Always,
    /// Nobody: the results themselves come one by one.
    Never,
}

/// Does `work` with a control that Ctrl-C stops, and tells how far it is of `runs`, or of as many as
/// the work says itself; also whether it was stopped.
pub fn watch<T>(runs: u64, progress: Progress, work: impl FnOnce(&Control) -> T) -> (T, bool) {
    let control = &Control::default();
    let flag = control.flag();
    let interrupt = signal_hook::consts::SIGINT;
    let is_idle = idle();
    is_idle.store(false, Ordering::Relaxed);
    // In this order: the first Ctrl-C only sets the flag, the second finds it set and ends all.
    let second = signal_hook::flag::register_conditional_shutdown(interrupt, 130, control.flag());
    let first = signal_hook::flag::register(interrupt, control.flag());
    let (end, ended) = mpsc::channel::<()>();
    let result = thread::scope(|scope| {
        scope.spawn(move || tell(control, runs, progress, &ended));
        let result = work(control);
        drop(end);
        result
    });
    for handler in [first, second].into_iter().flatten() {
        signal_hook::low_level::unregister(handler);
    }
    is_idle.store(true, Ordering::Relaxed);
    (result, flag.load(Ordering::Relaxed))
}

/// True while nothing is watched: then Ctrl-C ends the program, as it does by default. Who has once handled a
/// signal does not get that back by himself.
fn idle() -> &'static Arc<AtomicBool> {
    static IDLE: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    IDLE.get_or_init(|| {
        let idle = Arc::new(AtomicBool::new(false));
        let interrupt = signal_hook::consts::SIGINT;
        // Without it nobody could end the program while it prints; that is no reason not to work.
        let _ = signal_hook::flag::register_conditional_shutdown(interrupt, 130, Arc::clone(&idle));
        idle
    })
}

fn tell(control: &Control, runs: u64, progress: Progress, ended: &mpsc::Receiver<()>) {
    let is_terminal = io::stderr().is_terminal();
    let is_seen = match progress {
        Progress::IfTerminal => is_terminal,
        Progress::Always => true,
        Progress::Never => false,
    };
    if !is_seen {
        // Waits for the end all the same, so that this thread ends with the work.
        let _ = ended.recv();
        return;
    }
    let (every, before, after) = match is_terminal {
        true => (Duration::from_millis(500), "\r", "\x1b[K"),
        false => (Duration::from_secs(5), "", "\n"),
    };
    #[expect(clippy::disallowed_types, reason = "a person waits in real time")]
    let begun = std::time::Instant::now();
    let line = |done| line(done, runs.max(control.expected()), begun.elapsed());
    while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let _ = write!(io::stderr(), "{before}{}{after}", line(control.done()));
    }
    let last = if is_terminal { "" } else { &line(control.done()) };
    let _ = write!(io::stderr(), "{before}{last}{after}");
}

/// `412 of 1400 runs, 31.0 per second, 32 s left`.
fn line(done: u64, runs: u64, elapsed: Duration) -> String {
    let of = counted(runs, "run");
    let millis = elapsed.as_millis().max(1);
    let tenths = u128::from(done) * 10_000 / millis;
    let rate = format!("{}.{}", tenths / 10, tenths % 10);
    let left = u128::from(runs.saturating_sub(done)) * millis;
    match left.checked_div(u128::from(done) * 1000) {
        Some(seconds) => {
            format!("{done} of {of}, {rate} per second, {} left", long(seconds))
        }
        None => format!("{done} of {of}"),
    }
}

fn long(seconds: u128) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_and_the_time_left_are_told_once_there_is_a_first_run() {
        let at = |done, seconds| line(done, 1000, Duration::from_secs(seconds));
        assert_eq!(at(0, 3), "0 of 1000 runs");
        assert_eq!(
            at(50, 10),
            "50 of 1000 runs, 5.0 per second, 190 s left".replace("190 s", "3 min")
        );
        assert_eq!(at(1, 100), "1 of 1000 runs, 0.0 per second, 27 h 45 min left");
        assert_eq!(at(1000, 8), "1000 of 1000 runs, 125.0 per second, 0 s left");
    }

    #[test]
    fn work_that_is_not_stopped_says_so() {
        assert_eq!(watch(1, Progress::IfTerminal, |control| control.done()), (0, false));
        let stopped = watch(1, Progress::IfTerminal, |control| control.stop());
        assert_eq!(stopped, ((), true));
    }
}
