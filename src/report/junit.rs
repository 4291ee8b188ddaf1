//! Verdicts as JUnit XML, for the servers that draw them as tests.
//!
//! Written by hand: four elements, one escaper, and no clock, which a library would want for its
//! timestamps. It knows neither scenarios nor seeds, only cases with failures.

use std::io;

/// One test case; it failed if it has failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    pub name: String,
    pub class: String,
    pub failures: Vec<String>,
}

/// Writes one suite of all cases.
pub fn write_junit(cases: &[Case], to: &mut impl io::Write) -> io::Result<()> {
    let failed = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let counts = format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\"", cases.len());
    writeln!(to, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(to, "<testsuites name=\"healsim\" {counts}>")?;
    writeln!(to, "  <testsuite name=\"healsim check\" {counts}>")?;
    cases.iter().try_for_each(|case| write_case(case, to))?;
    writeln!(to, "  </testsuite>\n</testsuites>")
}

fn write_case(case: &Case, to: &mut impl io::Write) -> io::Result<()> {
    write!(
        to,
        "    <testcase name=\"{}\" classname=\"{}\"",
        escape(&case.name),
        escape(&case.class)
    )?;
    let Some(first) = case.failures.first() else {
        return writeln!(to, "/>");
    };
    writeln!(to, ">")?;
    let all = case.failures.join("\n");
    writeln!(to, "      <failure message=\"{}\">{}</failure>", escape(first), escape(&all))?;
    writeln!(to, "    </testcase>")
}

/// Text as it may stand in an attribute or between tags. XML has no way to write most control
/// characters, so they become a question mark.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push('\t'),
            letter if letter < ' ' || ('\u{fffe}'..='\u{ffff}').contains(&letter) => {
                escaped.push('?');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
