"""Every line of servers that will do: an event from outside comes out as actions, and replays."""

from collections import Counter

import pytest
from nats_hosts import host, is_sound, live, outside, ready

pytestmark = pytest.mark.timeout(120)


# The oldest that will do has no atomic batches; the last is that of this environment.
@pytest.mark.parametrize("version", ["2.11.1", "2.12.8", "2.14.6", None])
async def test_actions_of_events_that_a_foreign_client_sends(start_nats, version):
    server = start_nats(version=version)
    for goals in (range(10), range(5, 15)):
        made = host(server)
        async with live(made, "old"):
            await ready(server)
            async with outside(server, "old") as other:
                await other.goals(*goals)
                for kind in ("scored", "said"):
                    await other.actions(goals.stop, kind)
                    assert await other.counted(kind) == Counter(range(goals.stop))
            result = await made.stop()
    assert result.context["old"] == {"score": {"home": 15}}
    assert is_sound(made, "old")
