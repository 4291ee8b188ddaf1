//! A version of Kubernetes, as Cluster API's controllers compare them.
//!
//! Simplified: pre-releases are not told from their release.

use std::cmp::Ordering;

/// A version: its numbers, and what stands behind a plus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    build: Vec<Identifier>,
}

/// A part of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identifier {
    Number(u64),
    Word(String),
}

/// How two versions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precedence {
    Known(Ordering),
    /// Two builds that are named differently.
    Unknown,
}

impl Version {
    /// What a text says, with or without a `v`; numbers that are left out are zero.
    pub fn of(text: &str) -> Option<Version> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (release, build) = text.split_once('+').unwrap_or((text, ""));
        let release = release.split_once('-').map_or(release, |(release, _)| release);
        let mut numbers = [0; 3];
        let mut places = numbers.iter_mut();
        for part in release.split('.') {
            *places.next()? = part.parse().ok()?;
        }
        let identifier = |part: &str| match part.parse() {
            Ok(number) => Identifier::Number(number),
            Err(_) => Identifier::Word(part.to_owned()),
        };
        let build = build.split('.').filter(|part| !part.is_empty()).map(identifier).collect();
        Some(Version { numbers, build })
    }

    /// True of `v`, three numbers, and whatever follows the third: Cluster API's webhooks refuse
    /// another text (`version.KubeSemver`).
    pub fn is_semantic(text: &str) -> bool {
        let mut parts = text.strip_prefix('v').unwrap_or("").splitn(3, '.');
        let mut next = || parts.next().unwrap_or("");
        let (major, minor, rest) = (next(), next(), next());
        let is_number = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        is_number(major)
            && is_number(minor)
            && rest.starts_with(|first: char| first.is_ascii_digit())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    }

    /// The number in the middle.
    pub const fn minor(&self) -> u64 {
        self.numbers[1]
    }

    /// True if there is a minor version between the two, and this is the later one; patches and builds
    /// don't count.
    pub fn skips_a_minor_after(&self, other: &Version) -> bool {
        self.numbers >= [other.numbers[0], other.numbers[1].saturating_add(2), 0]
    }

    /// True if it is later. Of two builds whose names say nothing about their order each counts as
    /// later: they differ, and that is what is asked.
    pub fn is_later_than(&self, other: &Version) -> bool {
        match self.numbers.cmp(&other.numbers) {
            Ordering::Equal => {
                matches!(
                    self.build_against(other),
                    Precedence::Known(Ordering::Greater) | Precedence::Unknown
                )
            }
            order => order == Ordering::Greater,
        }
    }

    fn build_against(&self, other: &Version) -> Precedence {
        for (mine, theirs) in self.build.iter().zip(&other.build) {
            let order = match (mine, theirs) {
                (Identifier::Number(mine), Identifier::Number(theirs)) => mine.cmp(theirs),
                (Identifier::Number(_), Identifier::Word(_)) => Ordering::Less,
                (Identifier::Word(_), Identifier::Number(_)) => Ordering::Greater,
                (Identifier::Word(mine), Identifier::Word(theirs)) if mine == theirs => continue,
                (Identifier::Word(_), Identifier::Word(_)) => return Precedence::Unknown,
            };
            if order != Ordering::Equal {
                return Precedence::Known(order);
            }
        }
        Precedence::Known(self.build.len().cmp(&other.build.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(one: &str, other: &str) -> (bool, bool) {
        let [one, other] = [one, other].map(|text| Version::of(text).expect("a version"));
        (one.is_later_than(&other), other.is_later_than(&one))
    }

    #[test]
    fn numbers_come_before_builds() {
        assert_eq!(later("v1.31.0", "1.30.9"), (true, false));
        assert_eq!(later("v1.30", "v1.30.0"), (false, false));
        assert_eq!(later("v1.30.0+vmware.2", "v1.30.0+vmware.1"), (true, false));
        assert_eq!(later("v1.30.0+vmware.1", "v1.30.0"), (true, false));
        assert_eq!(later("v1.30.0+1", "v1.30.0+a"), (false, true));
        assert_eq!(later("v1.30.0+abc", "v1.30.0+abd"), (true, true), "they differ");
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "v", "latest", "1.2.3.4", "1..2"] {
            assert_eq!(Version::of(text), None, "{text}");
        }
        let version = Version::of("v1.28.8+vmware.1-fips.1-tkg.1").expect("a version");
        assert_eq!(version.minor(), 28);
    }
}
