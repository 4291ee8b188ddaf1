//! What is known to differ from the recordings, each with its reason.

/// One known difference.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// How the names of the files begin.
    pub files: &'static str,
    /// The metric or the kind of request; with `*` at its end, how it begins.
    pub subject: &'static str,
    pub why: &'static str,
}

impl Known {
    /// True if it is about this.
    pub fn covers(&self, file: &str, subject: &str) -> bool {
        let is_subject = match self.subject.strip_suffix('*') {
            Some(beginning) => subject.starts_with(beginning),
            None => subject == self.subject,
        };
        file.starts_with(self.files) && is_subject
    }
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known { files: "b_", subject: "putGap", why: LATE_DRIVER },
    Known { files: "c_", subject: "putGap", why: LATE_DRIVER },
    Known { files: "i_", subject: "putGap/*", why: LATE_DRIVER },
    Known { files: "p_follower_isolated_3.3.5", subject: "putGap*", why: LATE_DRIVER },
    Known { files: "p_leader_isolated_3.3.5", subject: "putGapAfterHeal", why: LATE_DRIVER },
    Known { files: "b_", subject: "slowest*", why: WORST },
    Known { files: "c_term_leader_3.3.4", subject: "exit", why: CLOSING },
    Known { files: "i_", subject: "serving", why: FEW_STARTS },
    Known { files: "f_", subject: "caughtUp/*", why: FREE_ENTRIES },
    Known { files: "i_", subject: "remove", why: WORST },
    Known { files: "i_", subject: "addAccepted", why: AGE_OF_LINKS },
    Known { files: "p_leader_isolated_3.3.5", subject: "converged", why: TWO_STREAMS },
    Known { files: "a_kill_leader_3.3.5.1", subject: "put", why: ON_ITS_WAY },
    Known { files: "c_term_leader_3.3.6", subject: "put", why: ON_ITS_WAY },
    Known { files: "c_term_leader_3.3.6", subject: "read", why: ON_ITS_WAY },
    Known { files: "e_", subject: "keepalive_open_before_fault+hasleader", why: UNARY },
];

const LATE_DRIVER: &str = "the driver and the members waited for the busy machine, so that puts left and \
    ended some milliseconds late; here they leave on time, and the rest is the period of the load";
const WORST: &str =
    "the machine's own time, in which it stalled for 10 to 50 ms now and then; here nothing stalls";
const ON_ITS_WAY: &str = "on the busy machine a request now and then took ten times as long as the others, and was \
     still on its way when the leader ended or handed over; here none is on its way for so long";
const CLOSING: &str =
    "closing the database and the listeners takes 10 to 40 ms and is not simulated";
const FEW_STARTS: &str =
    "how long a process takes to start is an input, and one or two recorded starts have no range";
const FREE_ENTRIES: &str = "an entry costs no processor time here, so what is left is the start and the \
    wait for a heartbeat; the real members took in 40,000 to 100,000 entries a second";
const AGE_OF_LINKS: &str = "the rule is that all links have been up for 5 s; how old they were when the member was \
    removed is the pace of the recording driver, which made a new group each time and is played roughly";
const TWO_STREAMS: &str = "a member has one stream to another here, and two there: heartbeats come again at the \
    same time on both sides (`followsAgain`), the missing entries on the other stream up to 1.5 s later, because \
    its first lost packet was a later one and TCP waits twice as long each time";
const UNARY: &str = "a lease is renewed by single requests here, as by a stream that is opened for each; there is \
    no stream that a member could end";
