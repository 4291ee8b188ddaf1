//! Quantities of Kubernetes: `500m`, `1.5`, `256Mi`, `2G`.
//!
//! Follows k8s.io/apimachinery: pkg/api/resource, whole numbers rounded up.

/// Thousandths of a processor.
pub fn millis(text: &str) -> Option<u64> {
    let (number, scale) = parts(text)?;
    // Below a thousandth nobody counts.
    match scale {
        "m" => scaled(number, 1, 1),
        "u" => scaled(number, 1, 1_000),
        "" => scaled(number, 1_000, 1),
        "k" => scaled(number, 1_000_000, 1),
        _ => None,
    }
}

/// MiB.
pub fn mebibytes(text: &str) -> Option<u64> {
    const MIB: u128 = 1 << 20;
    let (number, scale) = parts(text)?;
    let bytes = match scale {
        "m" => return scaled(number, 1, 1_000 * MIB),
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => MIB,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    scaled(number, bytes, MIB)
}

/// Digits with up to nine after the point, in billionths, and the letters after them.
fn parts(text: &str) -> Option<(u128, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, scale) = text.split_at(end);
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && rest.is_empty()) || rest.len() > 9 || whole.len() > 15 {
        return None;
    }
    let rest: u128 = format!("{rest:0<9}").parse().ok()?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some((whole * 1_000_000_000 + rest, scale))
}

/// A number in billionths times a fraction, rounded up.
fn scaled(billionths: u128, times: u128, by: u128) -> Option<u64> {
    u64::try_from((billionths * times).div_ceil(by * 1_000_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_rounded_up() {
        let cases = [("500m", 500), ("1", 1000), ("1.5", 1500), ("0.0001", 1), (".25", 250)];
        for (text, wanted) in cases {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        let cases =
            [("128Mi", 128), ("1Gi", 1024), ("1G", 954), ("1048577", 2), ("0.5Gi", 512), ("0", 0)];
        for (text, wanted) in cases {
            assert_eq!(mebibytes(text), Some(wanted), "{text}");
        }
        for text in ["", "m", "1 Gi", "-1", "1X", "1.2.3", "9999999999999999"] {
            assert_eq!((millis(text), mebibytes(text)), (None, None), "{text}");
        }
    }
}
