//! Images: what has to be on the VM's disk before a Pod's containers start.
//!
//! ```text
//! to start ── is on disk ──────────────────────────────────────────> containers
//!     └────── is not ─> queue ─ its turn ─> pull ─ done ─> on disk ─────┘
//!                         └───────<─── back-off ─<── disk is full
//! ```
//!
//! Follows `k/k:pkg/kubelet/images` (`EnsureImageExists`, `serialImagePuller`): who waits dies with the
//! kubelet, the pull of a Pod that goes is given up, an image stays as long as the disk. Who pulls what is being
//! pulled already gets it with that.
//!
//! Simplified: an image takes as long as any other, also beside others (`registryPullQPS` holds nobody up), and is
//! pulled whole; its registry always answers, also a VM that is cut off; nothing clears it away; of a pull that
//! failed the Pod's status says nothing.

use super::{AGENT, Event, Kubelet};
use crate::api::kinds::EventType;
use crate::api::{ObjectKey, Uid};
use crate::client::BackoffRules;
use crate::engine::{Delay, Duration, Purpose, Rule, SimTime, Text};
use crate::infra::{Ctx, Disk};
use crate::timeline::Cause;
use std::collections::BTreeMap;

/// How a kubelet gets images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSettings {
    /// How long a pull takes; if nothing, all images count as being there.
    pub pull: Delay,
    /// `serializeImagePulls`: one after the other.
    pub serialize: bool,
    /// After a pull that failed.
    pub backoff_first: Duration,
    pub backoff_limit: Duration,
}

/// The pulls that are under way, and who waits for one.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// Those whose turn comes first at the front.
    waiting: Vec<Pull>,
    /// What is pulled, and since when, by number: one at most where they come one after the other.
    under_way: BTreeMap<u64, (Text, SimTime)>,
    /// How many were begun.
    begun: u64,
}

/// A Pod waits for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    key: ObjectKey,
    uid: Uid,
    image: Text,
    /// How many pulls have failed for it.
    failed: u32,
    /// Since when, and whereby.
    since: SimTime,
    cause: Cause,
}

const IMAGE_PULL: Purpose = Purpose(4);
const RECHECK: Purpose = Purpose(27);
const SERIAL: Rule = "kubernetes.serializeImagePulls";
const BACKOFF: BackoffRules =
    BackoffRules { first: "kubernetes.imageBackoffFirst", limit: "kubernetes.imageBackoffLimit" };

/// Puts an image on a disk.
pub fn put_image(disk: &mut Disk, image: &str) {
    disk.write(path(image), "");
}

fn path(image: &str) -> Text {
    Text::from(format!("/var/lib/containerd/images/{image}"))
}

impl Kubelet {
    /// True if the image of the Pod is there; otherwise its containers start once it has been pulled.
    pub(super) fn has_image(
        &mut self,
        (key, uid): (&ObjectKey, Uid),
        ctx: &mut Ctx<Event>,
    ) -> bool {
        let pod = self.client.caches.get(key).and_then(|object| object.pod());
        let Some(pod) = pod.filter(|_| !self.settings.images.pull.high.is_zero()) else {
            return true;
        };
        let image = pod.template.image.clone();
        if is_on(ctx.disk(), &image) {
            return true;
        }
        let (since, cause) = (ctx.now(), ctx.cause());
        self.pull(Pull { key: key.clone(), uid, image, failed: 0, since, cause }, ctx);
        false
    }

    /// A pull has had its time.
    pub(super) fn image_pulled(&mut self, number: u64, ctx: &mut Ctx<Event>) {
        // One that nobody wanted any more was given up.
        let Some((image, begun)) = self.images.under_way.remove(&number) else { return };
        let takes = ctx.now().since(begun);
        let is_written = ctx.write(path(&image), "").is_ok();
        for pull in self.images.served(&image, self.settings.images.serialize) {
            match is_written {
                true => self.start_pulled(&pull, takes, ctx),
                false => self.pull_later(&pull, ctx),
            }
        }
        self.pull_next(ctx);
    }

    /// The back-off of a pull that failed is over.
    pub(super) fn pull_again(&mut self, pull: Pull, ctx: &mut Ctx<Event>) {
        if self.is_to_start(&pull.key, pull.uid) {
            self.pull(Pull { since: ctx.now(), cause: ctx.cause(), ..pull }, ctx);
        }
    }

    /// Nobody starts this Pod any more.
    pub(super) fn give_up_pull(&mut self, uid: Uid, ctx: &mut Ctx<Event>) {
        let Some(place) = self.images.waiting.iter().position(|pull| pull.uid == uid) else {
            return;
        };
        let image = self.images.waiting.remove(place).image;
        let is_pulled_for_it = match self.settings.images.serialize {
            true => place == 0,
            false => self.images.waiting.iter().all(|pull| pull.image != image),
        };
        if is_pulled_for_it {
            self.images.under_way.retain(|_, (other, _)| *other != image);
            self.pull_next(ctx);
        }
    }

    /// Pulls now, or when its turn comes.
    fn pull(&mut self, pull: Pull, ctx: &mut Ctx<Event>) {
        let words = format!("Pulling image \"{}\"", pull.image);
        self.client.record(ctx, AGENT, EventType::Normal, &pull.key, "Pulling", Text::from(words));
        self.images.waiting.push(pull);
        self.pull_next(ctx);
    }

    /// Begins what may be begun.
    fn pull_next(&mut self, ctx: &mut Ctx<Event>) {
        if !self.settings.images.serialize {
            while let Some(pull) = self.images.not_begun() {
                self.begin_pull(&pull, ctx);
            }
            return;
        }
        while self.images.under_way.is_empty()
            && let Some(first) = self.images.waiting.first().cloned()
        {
            if !is_on(ctx.disk(), &first.image) {
                return self.begin_pull(&first, ctx);
            }
            // Another Pod's pull has brought it.
            self.images.waiting.remove(0);
            self.start_pulled(&first, Duration::ZERO, ctx);
        }
    }

    fn begin_pull(&mut self, pull: &Pull, ctx: &mut Ctx<Event>) {
        let before = ctx.cause();
        if pull.since < ctx.now() {
            ctx.turn_of(pull.cause, Some(SERIAL));
        }
        let number = self.images.begun;
        self.images.begun += 1;
        self.images.under_way.insert(number, (pull.image.clone(), ctx.now()));
        let takes = ctx.draw_delay(IMAGE_PULL, self.settings.images.pull);
        ctx.after("kubernetes.imagePull", takes, Event::ImagePulled(number));
        ctx.back_to(before);
    }

    /// The image is there for a Pod, whoever it was pulled for.
    fn start_pulled(&mut self, pull: &Pull, takes: Duration, ctx: &mut Ctx<Event>) {
        let before = ctx.cause();
        let waited = ctx.now().since(pull.since);
        if takes < waited {
            ctx.turn_of(pull.cause, takes.is_zero().then_some(SERIAL));
        }
        let [takes, waited] = [takes, waited].map(whole_millis);
        let words = format!(
            "Successfully pulled image \"{}\" in {takes} ({waited} including waiting)",
            pull.image
        );
        self.client.record(ctx, AGENT, EventType::Normal, &pull.key, "Pulled", Text::from(words));
        self.start_containers(&pull.key, ctx);
        ctx.back_to(before);
    }

    /// There was no room for an image: `ImagePullBackOff`, until a look at the Pod finds that it is over.
    fn pull_later(&mut self, pull: &Pull, ctx: &mut Ctx<Event>) {
        let words = format!(
            "Failed to pull image \"{0}\": rpc error: code = Unknown desc = failed to pull and unpack \
             image \"{0}\": no space left on device",
            pull.image
        );
        self.client.record(ctx, AGENT, EventType::Warning, &pull.key, "Failed", Text::from(words));
        let settings = &self.settings.images;
        let pause = pause_after(pull.failed, settings);
        let rule = BACKOFF.of(pause, settings.backoff_first, settings.backoff_limit);
        // A worker of Pods looks again after any failure as after one to start.
        let look = self.settings.static_pods.restart.late(pause, || ctx.draw(RECHECK));
        let again = Pull { failed: pull.failed + 1, ..pull.clone() };
        ctx.after_all(&[(rule, pause), look], Event::PullAgain(again));
    }
}

impl Images {
    /// Takes out those for whom an image has been pulled.
    fn served(&mut self, image: &str, serialize: bool) -> Vec<Pull> {
        if serialize {
            return self.waiting.drain(..self.waiting.len().min(1)).collect();
        }
        self.waiting.extract_if(.., |pull| *pull.image == *image).collect()
    }

    /// The first whose image is not being pulled.
    fn not_begun(&self) -> Option<Pull> {
        let is_begun =
            |pull: &&Pull| self.under_way.values().any(|(image, _)| *image == pull.image);
        self.waiting.iter().find(|pull| !is_begun(pull)).cloned()
    }
}

/// The pause after a failed pull that so many failed ones had gone before.
fn pause_after(failed: u32, settings: &ImageSettings) -> Duration {
    let factor = 2u64.saturating_pow(failed);
    let grown = settings.backoff_first.as_micros().saturating_mul(factor);
    Duration::from_micros(grown).min(settings.backoff_limit)
}

/// As the kubelet tells it.
fn whole_millis(length: Duration) -> Duration {
    Duration::from_micros(length.as_micros() / 1000 * 1000)
}

fn is_on(disk: &Disk, image: &str) -> bool {
    disk.read(&path(image)).is_some()
}
