//! A merge patch as a person types it: JSON, of the fields that can be patched here.

use crate::api::kinds::Status;
use crate::components::kubectl::{Patch, PatchedCondition};
use crate::engine::Text;
use crate::scenario::mistake::nearest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Every path that a patch may have, and whether the subresource `status` owns it.
const PATHS: [(&str, bool); 8] = [
    ("metadata.annotations", false),
    ("metadata.labels", false),
    ("metadata.finalizers", false),
    ("spec.replicas", false),
    ("spec.unschedulable", false),
    ("spec.paused", false),
    ("spec.version", false),
    ("status.conditions", true),
];

/// Reads a patch of the object, or of its status.
pub fn read(json: &str, of_status: bool) -> Result<Patch, String> {
    let value: Value = serde_json::from_str(json)
        .map_err(|error| format!("`{json}` is not JSON: {error}; {EXAMPLE}"))?;
    let mut patch = Patch::default();
    for (part, fields) in object(&value, "a patch")? {
        for (field, value) in object(fields, part)? {
            let path = format!("{part}.{field}");
            let known: Vec<&str> = PATHS.iter().map(|(path, _)| *path).collect();
            let Some((_, owned)) = PATHS.iter().find(|(known, _)| *known == path) else {
                return Err(match nearest(&path, known.iter().copied()) {
                    Some(near) => format!("`{path}` cannot be patched; did you mean `{near}`?"),
                    None => format!("`{path}` cannot be patched; known: {}", known.join(", ")),
                });
            };
            match (owned, of_status) {
                (true, false) => {
                    return Err(format!("`{path}` is ignored without --subresource=status"));
                }
                (false, true) => {
                    return Err(format!("`{path}` is ignored with --subresource=status"));
                }
                _ => set(&mut patch, &path, value)?,
            }
        }
    }
    Ok(patch)
}

const EXAMPLE: &str = r#"write for example -p '{"spec":{"replicas":2}}'"#;

fn set(patch: &mut Patch, path: &str, value: &Value) -> Result<(), String> {
    match path {
        "metadata.annotations" => patch.annotations = pairs(value, path)?,
        "metadata.labels" => patch.labels = pairs(value, path)?,
        "metadata.finalizers" => patch.finalizers = Some(texts(value, path)?),
        "spec.replicas" => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| *number <= super::words::LARGEST);
            patch.replicas =
                Some(number.ok_or_else(|| wrong(path, value, "a number, up to 100000"))?);
        }
        "spec.unschedulable" => patch.unschedulable = Some(truth(value, path)?),
        "spec.paused" => patch.paused = Some(truth(value, path)?),
        "spec.version" => {
            let text = value.as_str().filter(|text| text.starts_with('v'));
            let right = "a version, for example \"v1.29.4\"";
            patch.version = Some(Text::from(text.ok_or_else(|| wrong(path, value, right))?));
        }
        _ => patch.conditions = conditions(value, path)?,
    }
    Ok(())
}

fn conditions(value: &Value, path: &str) -> Result<Vec<PatchedCondition>, String> {
    let all = value.as_array().ok_or_else(|| wrong(path, value, "a list"))?;
    all.iter().map(|condition| one_condition(condition, path)).collect()
}

fn one_condition(value: &Value, path: &str) -> Result<PatchedCondition, String> {
    let mut found = PatchedCondition {
        kind: Text::EMPTY,
        status: Status::Unknown,
        reason: Text::EMPTY,
        message: Text::EMPTY,
    };
    let mut has_status = false;
    for (field, value) in object(value, path)? {
        let text = value.as_str().ok_or_else(|| wrong(path, value, "a text"))?;
        match field.as_str() {
            "type" => found.kind = Text::from(text),
            "reason" => found.reason = Text::from(text),
            "message" => found.message = Text::from(text),
            "status" => {
                let all = [Status::True, Status::False, Status::Unknown];
                let status = all.into_iter().find(|status| status.name() == text);
                found.status =
                    status.ok_or_else(|| wrong(path, value, "True, False or Unknown"))?;
                has_status = true;
            }
            _ => {
                let known = "type, status, reason, message";
                return Err(format!("a condition has no `{field}` to patch; known: {known}"));
            }
        }
    }
    match found.kind.is_empty() || !has_status {
        true => Err("a condition needs `type` and `status`".to_owned()),
        false => Ok(found),
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{what} is an object, not `{value}`; {EXAMPLE}"))
}

fn pairs(value: &Value, path: &str) -> Result<BTreeMap<Text, Option<Text>>, String> {
    let pair = |(key, value): (&String, &Value)| match value {
        Value::Null => Ok((Text::from(key.as_str()), None)),
        Value::String(text) => Ok((Text::from(key.as_str()), Some(Text::from(text.as_str())))),
        other => Err(wrong(path, other, "a text, or null")),
    };
    object(value, path)?.iter().map(pair).collect()
}

fn texts(value: &Value, path: &str) -> Result<Vec<Text>, String> {
    let all = value.as_array().ok_or_else(|| wrong(path, value, "a list of texts"))?;
    let text = |value: &Value| value.as_str().map(Text::from);
    all.iter().map(|one| text(one).ok_or_else(|| wrong(path, one, "a text"))).collect()
}

fn truth(value: &Value, path: &str) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| wrong(path, value, "true or false"))
}

fn wrong(path: &str, value: &Value, right: &str) -> String {
    format!("`{path}` cannot be `{value}`; write {right}")
}
