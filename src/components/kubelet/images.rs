//! Images: what has to be on the VM's disk before a Pod's containers start.
//!
//! ```text
//! to start ── is on disk ──────────────────────────────────────────> containers
//!     └────── is not ─> queue ─ its turn ─> pull ─ done ─> on disk ─────┘
//!                         └───────<─── back-off ─<── disk is full
//! ```
//!
//! Follows `k/k:pkg/kubelet/images` (`EnsureImageExists`, `serialImagePuller`): who waits dies with the
//! kubelet, an image stays as long as the disk.
//!
//! Simplified: an image takes as long as any other and is pulled whole, its registry always answers,
//! nothing clears it away, and a pull goes on when its Pod goes.

use super::{Event, Kubelet};
use crate::api::{ObjectKey, Uid};
use crate::client::BackoffRules;
use crate::engine::{Delay, Duration, Purpose, Text};
use crate::infra::{Ctx, Disk};
use std::collections::VecDeque;

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

/// The pulls that are under way, or wait for their turn.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// One after the other: the first is under way.
    serial: VecDeque<Pull>,
}

/// A Pod waits for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    key: ObjectKey,
    uid: Uid,
    image: Text,
    /// How many pulls have failed for it.
    failed: u32,
}

const IMAGE_PULL: Purpose = Purpose(4);
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
        self.pull(Pull { key: key.clone(), uid, image, failed: 0 }, ctx);
        false
    }

    /// A pull has had its time.
    pub(super) fn image_pulled(&mut self, pull: Pull, ctx: &mut Ctx<Event>) {
        match ctx.write(path(&pull.image), "") {
            Ok(()) if self.is_to_start(&pull.key, pull.uid) => {
                self.start_containers(&pull.key, ctx)
            }
            Ok(()) => {}
            Err(_) => self.pull_later(&pull, ctx),
        }
        if self.settings.images.serialize {
            self.images.serial.pop_front();
            self.pull_next(ctx);
        }
    }

    /// The back-off of a pull that failed is over.
    pub(super) fn pull_again(&mut self, pull: Pull, ctx: &mut Ctx<Event>) {
        if self.is_to_start(&pull.key, pull.uid) {
            self.pull(pull, ctx);
        }
    }

    /// Pulls now, or when its turn comes.
    fn pull(&mut self, pull: Pull, ctx: &mut Ctx<Event>) {
        if !self.settings.images.serialize {
            return self.begin_pull(pull, ctx);
        }
        self.images.serial.push_back(pull);
        if self.images.serial.len() == 1 {
            self.pull_next(ctx);
        }
    }

    /// The first in the queue who still needs it has its image pulled.
    fn pull_next(&mut self, ctx: &mut Ctx<Event>) {
        while let Some(first) = self.images.serial.front().cloned() {
            let waits = self.is_to_start(&first.key, first.uid);
            if waits && !is_on(ctx.disk(), &first.image) {
                return self.begin_pull(first, ctx);
            }
            self.images.serial.pop_front();
            // Another Pod's pull has brought it.
            if waits {
                self.start_containers(&first.key, ctx);
            }
        }
    }

    fn begin_pull(&mut self, pull: Pull, ctx: &mut Ctx<Event>) {
        let takes = ctx.draw_delay(IMAGE_PULL, self.settings.images.pull);
        ctx.after("kubernetes.imagePull", takes, Event::ImagePulled(pull));
    }

    /// There was no room for an image: `ImagePullBackOff`.
    fn pull_later(&mut self, pull: &Pull, ctx: &mut Ctx<Event>) {
        if !self.is_to_start(&pull.key, pull.uid) {
            return;
        }
        let settings = &self.settings.images;
        let pause = pause_after(pull.failed, settings);
        let rule = BACKOFF.of(pause, settings.backoff_first, settings.backoff_limit);
        let again = Pull { failed: pull.failed + 1, ..pull.clone() };
        ctx.after(rule, pause, Event::PullAgain(again));
    }
}

/// The pause after a failed pull that so many failed ones had gone before.
fn pause_after(failed: u32, settings: &ImageSettings) -> Duration {
    let factor = 2u64.saturating_pow(failed);
    let grown = settings.backoff_first.as_micros().saturating_mul(factor);
    Duration::from_micros(grown).min(settings.backoff_limit)
}

fn is_on(disk: &Disk, image: &str) -> bool {
    disk.read(&path(image)).is_some()
}
