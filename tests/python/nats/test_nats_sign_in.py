"""Every way to sign in, and what is said when it does not work. No secret is ever shown."""

import time

import pytest
from nats_certificates import Authority
from nats_keys import Key, creds
from nats_parts import Client
from typer.testing import CliRunner

from live_crew._core import check_server
from live_crew.cli.app import app
from live_crew.config import load_config
from live_crew.errors import TransportError

SECRET = "hush-3f1c"  # noqa: S105 (it is what must not be shown)
USERS = f'authorization {{ users = [{{user: me, password: "{SECRET}"}}] }}'


def refused(**address):
    """What is said of an address that does not work, without its secrets."""
    with pytest.raises(TransportError) as caught:
        check_server(address)
    said = str(caught.value)
    assert SECRET not in repr(caught.value)
    return said


class TestSecrets:
    @pytest.fixture
    def url(self, start_nats):
        return start_nats(USERS).url

    def test_a_user_and_password(self, url):
        assert check_server({"url": [url], "user": "me", "password": SECRET})["sign_in"] == (
            "user and password"
        )
        said = refused(url=[url], user="me", password=f"{SECRET}x")
        fix = "it does not take user `me` with this password; check `user` and `password`"
        assert said == f"NATS at {url}: {fix}"
        assert "it wants to know who you are; add `user`" in refused(url=[url])
        assert "does not take this token" in refused(url=[url], token=SECRET)

    def test_credentials_of_the_url_are_used_and_not_shown(self, url):
        def at(user):
            return url.replace("//", f"//{user}@")

        assert check_server({"url": [at(f"me:{SECRET}")]})["sign_in"] == "user and password"
        said = refused(url=[at(f"me:{SECRET}x")])
        assert said.startswith(f"NATS at {url}: it does not take user `me`")
        said = refused(url=[at(f"me:{SECRET}")], token=SECRET)
        assert said == (
            f"NATS at {url}: it has credentials, and `token` is configured too; remove one of them"
        )

    @pytest.mark.parametrize("scheme", ["nats://", ""])
    @pytest.mark.parametrize("more", ["", "x@"])
    def test_publish_tells_where_it_sent_to_and_not_as_whom(
        self, start_nats, monkeypatch, tmp_path, scheme, more
    ):
        monkeypatch.chdir(tmp_path)
        password = f"{SECRET}{more}{SECRET}"
        server = start_nats(f'authorization {{ users = [{{user: me, password: "{password}"}}] }}')
        host = server.url.removeprefix("nats://")
        url = f"{scheme}me:{password}@{host}"
        monkeypatch.setenv("LIVE_CREW_TRANSPORT__KIND", "nats")
        monkeypatch.setenv("LIVE_CREW_TRANSPORT__URL", url)
        with Client(server, "me", password) as client:
            config = {"name": "LIVE_EVENTS", "subjects": ["live.*.events"]}
            client.ask("$JS.API.STREAM.CREATE.LIVE_EVENTS", config)
        for args in ([], ["--json"]):
            told = CliRunner().invoke(app, ["publish", "-k", "goal", "-s", "sent", *args])
            assert told.exit_code == 0, told.output
            assert f"{scheme}{host}" in told.output
            assert SECRET not in told.output
            assert "me:" not in told.output

    def test_a_token(self, start_nats):
        url = start_nats(f'authorization {{ token: "{SECRET}" }}').url
        assert check_server({"url": [url], "token": SECRET})["sign_in"] == "token"
        in_url = url.replace("//", f"//{SECRET}@")
        assert check_server({"url": [in_url]})["sign_in"] == "token"
        assert "it does not take this token; check `token`" in refused(url=[url], token="x")  # noqa: S106

    def test_what_does_not_go_together_is_told_before_anything_is_sent(self, url):
        for wrong, said in [
            ({"user": "me"}, "`user` has no `password`"),
            ({"password": SECRET}, "`password` has no `user`"),
            ({"token": SECRET, "nkey": "x"}, "`token` and `nkey` are two ways to sign in"),
            ({"tls": {"cert": "x"}}, "`cert` has no `key`"),
        ]:
            with pytest.raises(ValueError, match=said) as caught:
                check_server({"url": [url], **wrong})
            assert SECRET not in str(caught.value)

    def test_far_from_home_nothing_secret_is_sent_in_clear(self, start_nats):
        # Any other address of this machine is as far as a test can go.
        url = start_nats(USERS).url
        far = url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 (leads here, and is no loopback)
        said = refused(url=[far], user="me", password=SECRET)
        assert said == (
            f"NATS at {far}: it speaks no TLS, and credentials would cross the network in clear; "
            "switch TLS on at the server, or sign in on the machine it runs on"
        )


class TestNkeys:
    def test_a_seed_in_a_file(self, start_nats, tmp_path):
        key = Key("U")
        url = start_nats(f"authorization {{ users = [{{nkey: {key.public}}}] }}").url
        file = tmp_path / "user.nk"
        file.write_text(f"# mine\n{key.seed}\n")
        assert check_server({"url": [url], "nkey": str(file)})["sign_in"] == "nkey"
        file.write_text(Key("U").seed)
        said = refused(url=[url], nkey=str(file))
        assert "it does not know this NKEY; add its public key to the server's users" in said

    def test_a_file_without_a_seed(self, nats_server, tmp_path):
        file = tmp_path / "user.nk"
        said = refused(url=[nats_server.url], nkey=str(file))
        assert f"file {file}: it is not there; check the path" in said
        for text in (SECRET, Key("A").seed, Key("U").seed[:-1] + "!"):
            file.write_text(text)
            said = refused(url=[nats_server.url], nkey=str(file))
            assert f"file {file}: it holds no seed of a user; give the file" in said
            assert text not in said


class TestCredentials:
    @pytest.fixture
    def account(self):
        return Key("A")

    @pytest.fixture
    def url(self, start_nats, account):
        operator = Key("O")
        limits = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
        limits += ["mem_storage", "disk_storage", "streams", "consumer"]
        limits = {**dict.fromkeys(limits, -1), "wildcards": True}
        own = operator.jwt(operator, "op", {"type": "operator"})
        lines = [f"operator: {own}", "resolver: MEMORY", "resolver_preload: {"]
        system = Key("A")
        for key, more in ((account, limits), (system, {})):
            jwt = operator.jwt(key, "shop", {"type": "account", "limits": more})
            lines.append(f"{key.public}: {jwt}")
        return start_nats("\n".join([*lines, "}", f"system_account: {system.public}"])).url

    def write(self, path, account, *, seconds=0):
        user = Key("U")
        limits = {"subs": -1, "data": -1, "payload": -1}
        claims = {"type": "user", **limits}
        path.write_text(creds(account.jwt(user, "me", claims, seconds=seconds), user))
        return str(path)

    def test_a_file_of_a_jwt_and_a_seed(self, url, account, tmp_path):
        file = self.write(tmp_path / "me.creds", account)
        assert check_server({"url": [url], "creds": file})["sign_in"] == "creds"

    def test_those_of_another_account_and_those_that_ended(self, url, account, tmp_path):
        said = refused(url=[url], creds=self.write(tmp_path / "other.creds", Key("A")))
        assert "it does not take these credentials; they may have expired" in said
        file = self.write(tmp_path / "old.creds", account, seconds=1)
        time.sleep(2)  # the server goes by its own clock
        assert "they may have expired" in refused(url=[url], creds=file)

    def test_a_file_that_holds_none(self, nats_server, tmp_path):
        file = tmp_path / "me.creds"
        for text, missing in [
            (SECRET, "JWT of a user"),
            ("-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n", "seed"),
            (creds("abc", Key("U")).replace("SU", "S!"), "seed that can be read"),
        ]:
            file.write_text(text)
            said = refused(url=[nats_server.url], creds=str(file))
            assert f"file {file}: it holds no {missing}" in said
            assert "nsc generate creds" in said


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path, "ca")

    @pytest.fixture
    def serve(self, start_nats, authority):
        def serve(*hosts, mutual=False, days=1, more=""):
            own = authority.issue("server", *(hosts or ("127.0.0.1", "localhost")), days=days)
            verify = f'ca_file: "{authority.cert}"\nverify: true' if mutual else ""
            files = f'cert_file: "{own.cert}"\nkey_file: "{own.key}"'
            return start_nats(f"tls {{ {files}\n{verify} }}\n{more}").url

        return serve

    def test_one_signed_by_who_is_known(self, serve, authority):
        found = check_server({"url": [serve()], "tls": {"ca": str(authority.cert)}})
        assert found["is_encrypted"] is True

    def test_one_signed_by_somebody_else(self, serve, tmp_path):
        url = serve()
        other = Authority(tmp_path, "other")
        said = refused(url=[url], tls={"ca": str(other.cert)})
        assert "its certificate is signed by nobody in `tls.ca`" in said
        said = refused(url=[url])
        assert "its certificate is signed by nobody this machine knows" in said
        assert "`tls: {ca: …}`" in said

    def test_one_for_other_names(self, serve, authority):
        said = refused(url=[serve("example.com")], tls={"ca": str(authority.cert)})
        assert "its certificate is for other names; write a name" in said

    def test_one_that_has_expired(self, serve, authority):
        said = refused(url=[serve(days=-1)], tls={"ca": str(authority.cert)})
        assert "its certificate has expired; renew it" in said

    def test_a_client_with_a_certificate(self, serve, authority, tmp_path):
        url = serve(mutual=True)
        ca = str(authority.cert)
        mine = authority.issue("client")
        own = {"ca": ca, "cert": str(mine.cert), "key": str(mine.key)}
        assert check_server({"url": [url], "tls": own})["sign_in"] == "anonymous"
        said = refused(url=[url], tls={"ca": ca})
        assert "it wants a client certificate; add `tls: {cert: …, key: …}`" in said
        other = Authority(tmp_path, "other").issue("stranger")
        own = {"ca": ca, "cert": str(other.cert), "key": str(other.key)}
        said = refused(url=[url], tls=own)
        assert "it does not take the client certificate of `tls.cert`" in said
        own = {"ca": ca, "cert": str(mine.cert), "key": str(other.key)}
        said = refused(url=[url], tls=own)
        assert "`tls.key` is not the key of `tls.cert`" in said

    def test_a_certificate_that_stands_for_a_user(self, start_nats, authority):
        own = authority.issue("server", "127.0.0.1")
        files = f'cert_file: "{own.cert}"\nkey_file: "{own.key}"\nca_file: "{authority.cert}"'
        users = 'authorization { users = [{user: "CN=client"}] }'
        url = start_nats(f"tls {{ {files}\nverify_and_map: true }}\n{users}").url
        for name, works in (("client", True), ("somebody", False)):
            mine = authority.issue(name)
            tls = {"ca": str(authority.cert), "cert": str(mine.cert), "key": str(mine.key)}
            if works:
                assert check_server({"url": [url], "tls": tls})["is_encrypted"]
            else:
                assert "it wants to know who you are" in refused(url=[url], tls=tls)

    def test_files_are_looked_at_first(self, nats_server, authority, tmp_path):
        gone = tmp_path / "gone.pem"
        said = refused(url=[nats_server.url], tls={"ca": str(gone)})
        assert f"`tls.ca` {gone}: it is not there; check the path" in said
        mine = authority.issue("client")
        swapped = {"cert": str(mine.key), "key": str(mine.cert)}
        said = refused(url=[nats_server.url], tls=swapped)
        assert f"`tls.cert` {mine.key}: it holds no certificate; give a PEM file" in said

    def test_a_server_without_tls(self, nats_server, authority):
        tls = {"ca": str(authority.cert)}
        said = refused(url=[nats_server.url], tls=tls)
        assert "it speaks no TLS; switch TLS on at the server" in said
        assert "it speaks no TLS" in refused(url=[nats_server.url.replace("nats:", "tls:")])

    def test_credentials_over_tls(self, serve, authority):
        url = serve(more=USERS)
        tls = {"ca": str(authority.cert)}
        found = check_server({"url": [url], "user": "me", "password": SECRET, "tls": tls})
        assert (found["sign_in"], found["is_encrypted"]) == ("user and password", True)


class TestConfiguration:
    def test_the_section_is_what_the_core_takes(self, tmp_path, start_nats):
        server = start_nats(USERS)
        file = tmp_path / "live_crew_config.yaml"
        section = f"{{kind: nats, url: '{server.url}', user: me, password: {SECRET}}}"
        file.write_text(f"transport: {section}\n")
        transport = load_config(file, env={}).transport
        address = {"url": (server.url,), "user": "me", "password": SECRET}
        assert transport.address() == address
        assert check_server(transport.address())["version"]

    def test_paths_start_at_the_file(self, tmp_path):
        file = tmp_path / "live_crew_config.yaml"
        tls = "{ca: ca.pem, cert: me.pem, key: me.key}"
        file.write_text(f"transport: {{kind: nats, nkey: me.nk, tls: {tls}}}\n")
        address = load_config(file, env={}).transport.address()
        assert address["nkey"] == str(tmp_path / "me.nk")
        files = {"ca": "ca.pem", "cert": "me.pem", "key": "me.key"}
        assert address["tls"] == {key: str(tmp_path / name) for key, name in files.items()}
