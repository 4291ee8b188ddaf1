//! What makes a zone disrupted, and the pace that it has then.

use super::super::super::{Standing, tests::settings};
use super::*;
use crate::api::labels;
use crate::infra::{Address, EndpointId};

fn manager() -> ControllerManager {
    ControllerManager::new(settings(), Address::Endpoint(EndpointId(1)), Standing::Leader)
}

#[test]
fn a_zone_is_judged_by_the_share_of_it_that_is_lost() {
    let manager = manager();
    for (up, down, state) in [
        (0, 0, State::Normal),
        (0, 1, State::Full),
        (0, 9, State::Full),
        (1, 2, State::Normal),
        (2, 3, State::Partial),
        (3, 3, State::Normal),
        (9, 11, State::Partial),
        (10, 12, State::Normal),
    ] {
        assert_eq!(manager.state(up, down), state, "{up} up, {down} down");
    }
}

#[test]
fn only_a_large_zone_that_is_partly_lost_has_the_second_pace() {
    let (manager, secs) = (manager(), Duration::from_secs);
    for state in [State::Initial, State::Normal, State::Full] {
        assert_eq!(manager.interval(state, 99), Some(secs(10)));
    }
    assert_eq!(manager.interval(State::Partial, 50), None);
    assert_eq!(manager.interval(State::Partial, 51), Some(secs(100)));
}

#[test]
fn a_zone_is_named_by_region_and_zone_together() {
    let (region, zone) = ((label::REGION, Text::word("r")), (label::ZONE, Text::word("z")));
    assert_eq!(zone_of(&labels([region.clone(), zone.clone()])), "r/z");
    assert_eq!(zone_of(&labels([region])), "r/");
    assert_eq!(zone_of(&labels([zone])), "/z");
    assert_eq!(zone_of(&Labels::default()), "");
}
