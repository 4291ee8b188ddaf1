//! Users who try whether things work, as a scenario asks for them: `probes`.

use super::catalog::Catalog;
use super::mistake::{Mistake, nearest};
use super::settings::client;
use super::yaml::{Source, Spanned};
use crate::components::{ingress, prober};
use crate::engine::{Duration, SimTime, Text};
use crate::timeline::{Downtime, Entry};
use crate::world::{Probe, Users};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One user: of an app, or of the API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenProbe {
    /// A workload that is asked through its ingress, once a second.
    app: Option<Spanned<String>>,
    /// How often a Deployment is created.
    deploy: Option<Spanned<String>>,
}

/// A Deployment that is created more often than this does not come to its end before the next.
const SHORTEST: Duration = Duration::from_secs(10);

impl WrittenProbe {
    /// What is meant, where these workloads can be asked.
    fn resolve(&self, source: &Source, apps: &[&str]) -> Result<Probe, Mistake> {
        match (&self.app, &self.deploy) {
            (Some(app), None) if apps.contains(&app.value.as_str()) => {
                Ok(Probe::App(Text::from(app.value.as_str())))
            }
            (Some(app), None) => {
                let near = nearest(&app.value, apps.iter().copied());
                let hint = near.map_or_else(
                    || format!("known: {}", apps.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                Err(source.mistake(app, format!("no workload `{}`; {hint}", app.value)))
            }
            (None, Some(every)) => {
                let parsed = every.value.parse::<Duration>();
                let every_parsed =
                    parsed.map_err(|error| source.mistake(every, error.to_string()))?;
                if every_parsed < SHORTEST {
                    let message = format!(
                        "a Deployment every {every_parsed} is too often; write {SHORTEST} or more"
                    );
                    return Err(source.mistake(every, message));
                }
                Ok(Probe::Deploy(every_parsed))
            }
            (Some(both), Some(_)) => {
                Err(source.mistake(both, "a probe is either `app` or `deploy`; write two"))
            }
            (None, None) => {
                let message = "a probe is `app: WORKLOAD` or `deploy: INTERVAL`";
                Err(Mistake::of(&source.file, message))
            }
        }
    }
}

/// The users that are meant; each mistake is noted.
pub fn resolve(
    written: &[WrittenProbe],
    source: &Source,
    apps: &[&str],
    note: &mut impl FnMut(Mistake),
) -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let is_deploy = |probe: &Probe| matches!(probe, Probe::Deploy(_));
    for one in written {
        match one.resolve(source, apps) {
            Ok(probe) => {
                let twice =
                    probes.contains(&probe) || is_deploy(&probe) && probes.iter().any(is_deploy);
                match one.app.as_ref().or(one.deploy.as_ref()).filter(|_| twice) {
                    Some(place) => {
                        let message = "there is such a probe already; one of each is enough";
                        note(source.mistake(place, message));
                    }
                    None => probes.push(probe),
                }
            }
            Err(mistake) => note(mistake),
        }
    }
    probes
}

/// These users, with their numbers; nobody if there is none.
pub fn users(probes: Vec<Probe>, all: &Catalog) -> Option<Users> {
    if probes.is_empty() {
        return None;
    }
    let period = |key: &str| all.period(&format!("users.{key}"));
    Some(Users {
        probes,
        ingress: ingress::Settings {
            client: client(all),
            programming: all.delay("users.endpointProgramming"),
        },
        app: prober::app::Settings {
            interval: period("askInterval"),
            timeout: period("askTimeout"),
            outage: period("outage"),
            calm: period("calm"),
        },
        deploy: prober::deploy::Settings {
            interval: SHORTEST,
            poll: period("deployPoll"),
            patience: period("deployPatience"),
        },
    })
}

/// How long each app was down, or failed now and then, for the user who asks it.
///
/// It is down from its last answer on, so `outage` before the user says so.
pub fn downtimes(
    entries: &[Entry],
    from: Option<SimTime>,
    end: SimTime,
    outage: Duration,
) -> BTreeMap<Text, Downtime> {
    let mut found: BTreeMap<Text, Downtime> = BTreeMap::new();
    let mut since: BTreeMap<Text, (Text, SimTime)> = BTreeMap::new();
    let is_app = |entry: &&Entry| entry.kind == *"Probe" && entry.name.starts_with("app-");
    for entry in entries.iter().filter(is_app) {
        let app = Text::from(entry.name.replacen("app-", "app/", 1));
        let status = Text::from(entry.to.as_text().unwrap_or_default());
        let begun = match status.as_str() {
            "down" => SimTime::ZERO + entry.at.since(SimTime::ZERO + outage),
            _ => entry.at,
        };
        if let Some((before, was)) = since.insert(app.clone(), (status, begun)) {
            add(found.entry(app).or_insert_with(none), &before, was, begun, from);
        }
    }
    for (app, (status, was)) in since {
        add(found.entry(app).or_insert_with(none), &status, was, end, from);
    }
    found
}

fn none() -> Downtime {
    Downtime { unavailable: Duration::ZERO, degraded: Some(Duration::ZERO) }
}

/// Adds a time in a status, as far as it lies after the first fault.
fn add(to: &mut Downtime, status: &str, was: SimTime, until: SimTime, from: Option<SimTime>) {
    let Some(from) = from else { return };
    let lasted = until.since(was.max(from));
    match status {
        "down" => to.unavailable = to.unavailable + lasted,
        "degraded" => to.degraded = to.degraded.map(|before| before + lasted),
        _ => {}
    }
}
