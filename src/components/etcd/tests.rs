//! Etcd: what is committed, what is refused, what survives.
