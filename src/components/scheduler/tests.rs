//! Choosing a Node, and saying why there is none.
