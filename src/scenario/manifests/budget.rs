//! A PodDisruptionBudget: how many Pods an eviction has to leave.

use super::fields::Fields;
use super::{Budget, Manifests};
use crate::api::Labels;
use crate::api::kinds::{Amount, Wanted};
use crate::engine::Text;
use crate::scenario::mistake::Mistake;
use std::sync::Arc;

const POLICY: &str = "a Pod that is not ready goes only while enough others are, as by default";

impl Manifests {
    pub(super) fn budget(&mut self, root: &Fields) -> Result<(), Mistake> {
        let name = self.name(root)?.to_owned();
        let spec = root.needed("spec", "`spec: ...`")?;
        let spec = root.reader.fields(spec, "spec")?;
        let selector = selector(&spec, "selector", "`selector: { matchLabels: { app: web } }`")?;
        let amount = |text: &str| match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Amount::Percent),
            None => text.parse().ok().map(Amount::Count),
        };
        let (least, most) = (spec.amount("minAvailable")?, spec.amount("maxUnavailable")?);
        let (wanted, field, place) = match (&least, &most) {
            (Some(least), None) => {
                (amount(&least.value).map(Wanted::MinAvailable), "minAvailable", least)
            }
            (None, Some(most)) => {
                (amount(&most.value).map(Wanted::MaxUnavailable), "maxUnavailable", most)
            }
            (Some(_), Some(both)) => {
                let message = "a budget has either minAvailable or maxUnavailable";
                return Err(root.reader.mistake(both.place, message));
            }
            (None, None) => {
                let message = "a budget says minAvailable or maxUnavailable, as `minAvailable: 1`";
                return Err(root.reader.mistake(spec.place, message));
            }
        };
        spec.finish(&[("unhealthyPodEvictionPolicy", POLICY)], &[]);
        root.finish(&[], &["status"]);
        let key = format!("PodDisruptionBudget/{name} {field}");
        self.take(root, key, place.value.clone(), place.place);
        let wanted = wanted.expect("an amount is a number or a percentage");
        let place = root.reader.place(root.place);
        self.budgets.extend(selector.map(|selector| Budget { name, selector, wanted, place }));
        Ok(())
    }
}

/// The labels of a field that selects; nothing if it says what no labels can say.
pub fn selector(spec: &Fields, name: &str, example: &str) -> Result<Option<Labels>, Mistake> {
    let node = spec.needed(name, example)?;
    let path = spec.path_of(name);
    let fields = spec.reader.fields(node, &path)?;
    let mut all: Vec<(Text, Text)> = Vec::new();
    for (key, value) in fields.labels("matchLabels")? {
        all.push((Text::from(key.name.as_str()), Text::from(value)));
    }
    let mut is_known = true;
    for item in fields.list("matchExpressions")? {
        let one = spec.reader.fields(item, &format!("{path}.matchExpressions"))?;
        let key = one.text("key")?.unwrap_or_default();
        let values = one.list("values")?;
        match (one.text("operator")?.unwrap_or_default(), values) {
            ("In", [value]) => {
                let value = spec.reader.text(value, &one.path_of("values"))?;
                all.push((Text::from(key), Text::from(value)));
            }
            (operator, _) => {
                let message =
                    format!("{path}: the expression {key} {operator} isn't modeled; left out");
                spec.reader.warn(item.place, message);
                is_known = false;
            }
        }
    }
    fields.finish(&[], &[]);
    Ok(is_known.then(|| Arc::new(all.into_iter().collect())))
}
