//! Property tests as somebody else would write them who depends on healsim (`docs/library.md`).

#[cfg(test)]
mod controller;
#[cfg(test)]
mod properties;
