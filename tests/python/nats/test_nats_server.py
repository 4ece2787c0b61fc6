"""Which servers will do, what is asked of them, and what `live-crew doctor` makes of it."""

import json
import socket
import threading

import pytest
from nats_parts import Client
from typer.testing import CliRunner

from live_crew._core import check_server
from live_crew.cli.app import app
from live_crew.errors import TransportError


@pytest.fixture
def stub():
    """Says that it is a server of some version, and no more than that."""
    listeners = []

    def stub(version):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        info = {"version": version, "max_payload": 1 << 20, "headers": True, "jetstream": True}

        def serve():
            client, _ = listener.accept()
            with client:
                client.sendall(f"INFO {json.dumps(info)}\r\n".encode())
                while (said := client.recv(4096)) and b"PING" not in said:
                    pass
                client.sendall(b"PONG\r\n")
                while client.recv(4096):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        return f"nats://127.0.0.1:{listener.getsockname()[1]}"

    yield stub
    for listener in listeners:
        listener.close()


def refused(url):
    with pytest.raises(TransportError) as caught:
        check_server({"url": [url]})
    return str(caught.value)


class TestVersions:
    @pytest.mark.parametrize("version", ["2.10.29", "2.11.1-RC.1", "2.11.0"])
    def test_one_that_is_too_old_is_refused(self, stub, version):
        url = stub(version)
        why = f"it is version {version}, and before 2.11.1 writes cannot be fenced"
        assert refused(url) == f"NATS at {url}: {why}; upgrade it to 2.14.3 or newer"

    def test_the_oldest_that_will_do_has_known_faults_and_no_batches(self, start_nats):
        found = check_server({"url": [start_nats(version="2.11.1").url]})
        assert (found["version"], found["level"], found["has_batches"]) == ("2.11.1", 1, False)
        assert "2.11.1 has known security faults" in found["advice"]
        assert "upgrade to 2.12.12, 2.14.3 or newer" in found["advice"]

    def test_the_one_of_this_environment_is_fine(self, nats_server):
        found = check_server({"url": [nats_server.url]})
        assert found["advice"] is None
        assert found["has_batches"] is True
        assert found["level"] >= 5


class TestNoServer:
    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        url = f"nats://127.0.0.1:{port}"
        said = f"NATS at {url}: nobody listens; start a server there, or correct `url`"
        assert refused(url) == said

    def test_a_name_that_is_unknown(self):
        assert "its name is unknown; check the name in `url`" in refused("nats://nowhere.invalid")

    def test_something_else_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
            # One that says nothing and goes.
            hang_up = threading.Thread(target=lambda: listener.accept()[0].close())  # noqa: PLW0108
            hang_up.start()
            assert "it closed the connection; look at its log" in refused(url)
            hang_up.join()

    def test_one_without_jetstream(self, start_nats):
        said = refused(start_nats(jetstream=None).url)
        assert "it has no JetStream, or not for this account; start it with `jetstream` on" in said

    def test_one_of_several_is_enough(self, nats_server):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            gone = f"nats://127.0.0.1:{listener.getsockname()[1]}"
        assert check_server({"url": [gone, nats_server.url]})["version"]


class TestDoctor:
    @pytest.fixture
    def findings(self, tmp_path, monkeypatch):
        """What is found, by what was looked at."""
        monkeypatch.chdir(tmp_path)

        def findings(server, *args, more=""):
            section = f"transport: {{kind: nats, url: '{server.url}'{more}}}\n"
            (tmp_path / "live_crew_config.yaml").write_text(section)
            told = CliRunner().invoke(app, ["doctor", "--json", *args])
            document = json.loads(told.stdout)
            assert document["ok"] == (told.exit_code == 0)
            found = {}
            for one in document["findings"]:
                found.setdefault(one["what"], []).append((one["state"], one["said"]))
            return found

        return findings

    def test_what_is_promised_on_one_server(self, findings, start_nats):
        server = start_nats()
        found = findings(server, "--monitor", server.monitor)
        ((state, said),) = found["transport"]
        assert state == "ok"
        assert "without TLS: anonymous" in said
        assert found["commits"][0][0] == "ok"
        assert found["sync_interval"] == [("ok", "the disk is written every 120 s")]
        assert ("ok", "profile dev, 1 copy: a restart or kill of the server") in found["promised"]
        assert any("the last 120 s" in said for _, said in found["not promised"])
        assert found["stream"] == [("note", "none yet; the first scheduler makes them")]

    def test_a_disk_that_is_written_always(self, findings, start_nats):
        server = start_nats(jetstream="sync_interval: always")
        found = findings(server, "--monitor", server.monitor)
        assert found["sync_interval"] == [("ok", "the disk is written at every message")]
        assert ("note", "the loss of its disk") in found["not promised"]

    def test_without_a_monitoring_port_it_says_that_it_cannot_know(self, findings, nats_server):
        found = findings(nats_server)
        ((state, said),) = found["sync_interval"]
        assert state == "note"
        assert "give `--monitor http://host:8222`" in said
        ((state, said),) = findings(nats_server, "--monitor", "http://127.0.0.1:1")["monitor"]
        assert state == "bad"
        assert "does not answer as one" in said

    def test_secrets_may_come_from_the_environment(self, findings, start_nats, monkeypatch):
        server = start_nats('authorization { users = [{user: me, password: "hush"}] }')
        monkeypatch.setenv("LIVE_CREW_TRANSPORT__PASSWORD", "hush")
        found = findings(server, more=", user: me")
        assert found["transport"][0][1].endswith("without TLS: user and password")
        assert found["self-test"][0][0] == "ok"
        assert "hush" not in str(found)

    def test_an_old_server_and_too_many_copies(self, findings, start_nats):
        found = findings(start_nats(version="2.11.1"), more=", replicas: 3")
        assert found["server version"][0][0] == "note"
        assert "one fenced message at a time" in found["commits"][0][1]
        assert found["replicas"][0][0] == "bad"
        assert "`replicas: 3` needs a cluster" in found["replicas"][0][1]

    def test_streams_that_are_there(self, findings, start_nats):
        server = start_nats()
        make = {"name": "LIVE_LOG", "subjects": ["live.*.actions"], "storage": "file"}
        with Client(server) as client:
            assert "error" not in client.ask("$JS.API.STREAM.CREATE.LIVE_LOG", make)
        found = findings(server)
        assert found["stream"] == [("ok", "LIVE_LOG, 1 copy, 0 messages, 0 bytes: live.*.actions")]
        assert "made without `allow_atomic`" in found["commits"][0][1]
