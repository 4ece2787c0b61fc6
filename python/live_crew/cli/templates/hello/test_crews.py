"""Tests of the crews: events in virtual time, and what must come of them."""

from crews import greeter

from live_crew.testing import TestStream, assert_timeline


def test_every_user_is_welcomed_and_counted():
    stream = TestStream(greeter)
    stream.at(0).event("user_signup", {"name": "Ada"})
    stream.at("0.6s").event("user_signup", {"name": "Grace"})
    assert_timeline(
        stream,
        """
        0  greeter  user_signup {"name":"Ada"}    → greeting "Welcome Ada!"    ctx users+=1
        1  greeter  user_signup {"name":"Grace"}  → greeting "Welcome Grace!"  ctx users+=1
        """,
    )
