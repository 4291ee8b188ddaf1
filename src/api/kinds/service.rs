//! Service and EndpointSlice: which Pods serve under one name.

use crate::api::merge::merge_fields;
use crate::api::{Labels, Uid};
use crate::engine::Text;

/// A Service, as far as its endpoints need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub selector: Labels,
}

/// The endpoints of a Service, by Pod name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSlice {
    pub endpoints: Vec<Endpoint>,
}

/// A Pod that may serve. Its address is its Node and its uid: Pod addresses are not modeled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    pub pod: Text,
    pub uid: Uid,
    pub node: Text,
    /// Serves, and is not on its way out.
    pub ready: bool,
    /// The Pod is Ready.
    pub serving: bool,
    pub terminating: bool,
}

/// The label by which an EndpointSlice belongs to its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

merge_fields!(Service { selector });
merge_fields!(EndpointSlice { endpoints });
