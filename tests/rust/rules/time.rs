//! Chapter 3: epoch, slices, closing, lateness, pace.

use crate::support::check;

#[test]
fn t3_an_instant_on_the_boundary_belongs_to_the_slice_that_begins_there() {
    check(
        r#"
        crew vision on frame
        @0 frame {"n":1}
        @99.999 frame {"n":2}
        @100 frame {"n":3}
        end
        ----
        0 start vision 0.0 on frame{"n":1}
        0 lands vision 0.0
        0 start vision 0.1 on frame{"n":2}
        0 lands vision 0.1
        0 commit
        1 start vision 1.0 on frame{"n":3}
        1 lands vision 1.0
        1 commit
        finished
        "#,
    );
}
