//! The API server: rules of objects, watches, and what it says without its etcd.
