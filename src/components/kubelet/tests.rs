//! Heartbeats, registration and Pods.
