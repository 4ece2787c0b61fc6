//! The engine against the reference: the same slices, outcomes, actions and contexts, for random
//! plans, events and behaviours. Every fault found this way stands below as the smallest case.

use proptest::prelude::*;

use super::support::{
    cases::{Case, cases},
    drive::World,
    reference::foretell,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases_or(2_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_reference_foretells(case in cases()) {
        check(&case)?;
    }
}

/// `PROPTEST_CASES`, or this many.
pub fn cases_or(cases: u32) -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(cases)
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let foretold = foretell(case);
    let mut world = World::new(case, case.seed);
    world.run(0);
    let told = world.told();
    for slice in foretold.keys().chain(told.keys()) {
        let (mut wanted, got) = (foretold.get(slice).cloned(), told.get(slice).cloned());
        // Between slices committed in one go nobody can look at the context.
        if let (Some(wanted), Some(got)) = (&mut wanted, &got)
            && got.context.is_empty()
        {
            wanted.context.clear();
        }
        prop_assert_eq!(
            &got,
            &wanted,
            "slice {}: left the engine, right the reference",
            slice
        );
    }
    let last = foretold
        .values()
        .next_back()
        .map_or("{}", |told| &told.context);
    prop_assert_eq!(format!("{:?}", world.engine.context()), last);
    Ok(())
}
