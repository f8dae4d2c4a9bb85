# SPDX-License-Identifier: Apache-2.0
"""check --html: one page that needs nothing but itself, looked at in a real
browser where there is one."""
import html.parser
import re
import shutil
import subprocess
import zlib

import pytest
from pki import LOCAL, Pki, days_from_now

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Reader(html.parser.HTMLParser):
    """The page as a browser without scripts would take it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.problems, self.loads = [], [], []
        self.ids, self.links, self.tags = set(), [], []
        self.words = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            assert attrs["id"] not in self.ids, attrs["id"]
            self.ids.add(attrs["id"])
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, attrs)
            if name in ("src", "srcset", "action", "data", "poster"):
                self.loads.append((tag, value))
            if name == "href":
                (self.links if value.startswith("#")
                 else self.loads).append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    def of(self, tag):
        return [a for t, a in self.tags if t == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(path):
    text = path.read_text()
    page = Reader(text)
    assert text.startswith("<!doctype html>\n<html lang=\"en\">")
    assert not page.loads and not page.of("script"), page.loads
    assert not re.search(r"url\(|@import|https?://", text), "loads something"
    for link in page.links:
        assert link[1:] in page.ids, link
    return page


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """One chain of each kind, as files."""
    made = Pki(tmp_path_factory.mktemp("shop"))
    made.anchor = made.root("Shop Root", not_after=days_from_now(3650))
    issuer = made.anchor.issue_ca("Shop Issuer", not_after=days_from_now(900))
    short = made.anchor.issue_ca("Short Issuer", not_after=days_from_now(20))
    leaf = issuer.issue("shop.example", sans=LOCAL,
                        not_after=days_from_now(61.5))
    late = short.issue("mail.example", sans=LOCAL)
    made.issuer, made.leaf = issuer, leaf
    made.chains = {
        "whole": made.file("whole.pem", leaf, issuer),
        "bare": made.file("bare.pem", leaf),
        "short": made.file("short.pem", late, short),
        "extra": made.file("extra.pem", leaf, issuer, made.anchor,
                           made.root("A Stranger")),
    }
    return made


def check(chainmend, shop, page, *words):
    chainmend("profiles", "add", "office-phones", shop.anchor.pem)
    return chainmend("check", *words, "--roots", shop.anchor.pem, "--offline",
                     "--pool", shop.issuer.pem, "--profile", "office-phones",
                     "--profile", "firefox", "--profile",
                     "lync-phone-edition", "--warn-days", "30", "--html", page)


def test_one_server(chainmend, shop, nginx, tmp_path):
    server = nginx(shop.chains["bare"], shop.leaf.key)
    out = tmp_path / "page.html"
    run = check(chainmend, shop, out, server.address)
    assert run.status == 1 and "missing-intermediate" in run.out, run
    page = read(out)
    for words in (server.address, "Shop Issuer", "not sent; from the file",
                  "missing: a client that has no copy of the issuer",
                  "trusted root", "office-phones", "refuses", "firefox",
                  "What to do.", "in 61 days"):
        assert words in page.text, words
    # Every client has its row, and both drawings are there, with titles.
    assert len([a for a in page.of("th") if a.get("scope") == "row"]) == 3
    assert [a["class"] for a in page.of("svg")] == ["chain", "expiry"]
    assert not [a for a in page.of("nav") if a["aria-label"] == "servers"]


def test_a_whole_chain(chainmend, shop, tmp_path):
    out = tmp_path / "page.html"
    check(chainmend, shop, out, shop.chains["whole"])
    page = read(out)
    assert "missing" not in page.text
    assert "sent, number 1" in page.text and "sent, number 2" in page.text
    assert "first refusal" in page.text
    check(chainmend, shop, out, shop.chains["extra"])
    page = read(out)
    assert "trusted root, sent for nothing" in page.text
    assert "sent as well, and on no path" in page.text
    assert "A Stranger" in page.text


def test_several_servers_have_an_index(chainmend, shop, tmp_path, free_port):
    out = tmp_path / "page.html"
    dead = f"127.0.0.1:{free_port()}"
    run = check(chainmend, shop, out, *shop.chains.values(), dead)
    assert run.status == 3, run
    page = read(out)
    rows = [link for link in page.links if re.fullmatch(r"#t\d+", link)]
    assert rows == ["#t1", "#t2", "#t3", "#t4", "#t5"]
    assert "not looked at" in page.text and dead in page.text
    assert "refused the connection" in page.text
    assert "Short Issuer" in page.text


def test_one_that_was_not_reached_is_not_called_broken(chainmend, shop,
                                                       tmp_path, free_port):
    out = tmp_path / "page.html"
    dead = f"127.0.0.1:{free_port()}"
    check(chainmend, shop, out, dead)
    text = read(out).text
    assert f"{dead}: it could not be looked at" in text
    assert "needs mending" not in text
    chainmend("check", dead, shop.chains["whole"], "--offline", "--roots",
              shop.anchor.pem, "--html", out)
    assert ("2 servers, every chain seen is whole; 1 could not be looked at"
            in read(out).text)


def test_a_name_keeps_its_letters(chainmend, shop, tmp_path):
    """A heading begins with a capital letter, unless with a quoted name."""
    out = tmp_path / "page.html"
    check(chainmend, shop, out, shop.chains["bare"])
    headings = re.findall(r"<h4( class=\"name\")?>(&quot;)?",
                          out.read_text())
    assert headings
    for named, quoted in headings:
        assert bool(named) == bool(quoted)


def test_a_file_of_servers_has_one_page(chainmend, shop, nginx, tmp_path,
                                        free_port):
    """check -f --html: who is refused comes first in the table, each has a
    section, and the page says what the lines say."""
    good = nginx(shop.chains["whole"], shop.leaf.key)
    bad = nginx(shop.chains["bare"], shop.leaf.key)
    closed = f"127.0.0.1:{free_port()}"
    targets, out = tmp_path / "targets", tmp_path / "many.html"
    targets.write_text(f"{good.address}\n{bad.address}\n{closed}\n")
    run = chainmend("check", "-f", targets, "--roots", shop.anchor.pem,
                    "--offline", "--json", "--html", out)
    assert run.status == 3 and len(run.of_kind("endpoint")) == 3, run
    page = read(out)
    rows = page.text.split("Good until", 1)[1]
    assert rows.index(good.address) > max(rows.index(bad.address),
                                          rows.index(closed)), rows
    assert len(page.of("section")) == 3 and len(page.links) == 4
    assert ("1 of 3 servers is refused by some client; 1 could not be looked "
            "at") in page.text, page.text[:300]
    assert "missing-intermediate" in page.text and "refused" in page.text


def test_a_page_after_an_interruption_has_all(chainmend, shop, nginx, tmp_path,
                                              free_port):
    """What the file of results has of an earlier run is on the page as if it
    had been looked at now: drawings, clients, findings; a key is not in it."""
    good = nginx(shop.chains["whole"], shop.leaf.key)
    bad = nginx(shop.chains["bare"], shop.leaf.key)
    closed = f"127.0.0.1:{free_port()}"
    targets, results = tmp_path / "targets", tmp_path / "results"

    def run(lines, page, *more):
        targets.write_text("".join(f"{line}\n" for line in lines))
        check(chainmend, shop, page, "-f", targets, *more)
        return read(page)

    lines = [good.address, bad.address, closed]
    whole = run(lines, tmp_path / "whole.html")
    run(lines[:2], tmp_path / "half.html", "--resume", results)
    before = results.read_text()
    # The last line is torn: that one is asked again.
    results.write_text(before + '{"v":1,"kind":"endp')
    page = run(lines, tmp_path / "page.html", "--resume", results)
    assert results.read_text().startswith(before)
    assert len(results.read_text().splitlines()) == 3
    assert "2 of 3 servers" in page.text
    assert len(page.of("section")) == 3 and len(page.of("svg")) == 4
    for words in ("not sent; from the file", "trusted root", "What to do.",
                  "office-phones", "missing-intermediate", "in 61 days",
                  "Firefox, current", "refused the connection"):
        assert words in whole.text and words in page.text, words
    assert page.text.count("EC, 256 bits") == 0 < whole.text.count(
        "EC, 256 bits")
    # Nothing left to do, and the page is the same but for when it was made.
    again = run(lines, tmp_path / "again.html", "--resume", results)
    said = [one.text.partition("Made by chainmend") for one in (again, page)]
    assert all(made for _, _, made in said)
    assert sorted(said[0][0].split()) == sorted(said[1][0].split())


OURS = '{"v":1,"kind":"'


@pytest.mark.parametrize("line,says", [
    ("hello\n", "line 1: not JSON"),
    ("hello", "line 1: not JSON"),
    ("{", None),
    (f'{OURS}summary"}}\n{{"kind":"endpoint"}}\n', "line 2: not JSON"),
    (f'{OURS}summary"}}\nnotes of mine, without an end', "line 2: not JSON"),
    ("[" * 40 + "]" * 40, "line 1: not JSON"),
    ('{"a":' * 3000 + "1" + "}" * 3000 + "\n", "line 1: not JSON")])
def test_a_file_that_is_no_results(chainmend, tmp_path, line, says):
    """It stays as it is, with a page wanted or without one."""
    results, page = tmp_path / "results", tmp_path / "page.html"
    for more in (["--html", page], []):
        results.write_text(line)
        run = chainmend("check", "-f", "/dev/null", "--resume", results, *more)
        if says is None:  # as a line of ours begins
            assert run.status == 0 and results.read_text() == "", run
            continue
        assert run.status == 3 and says in run.err, run
        assert "results" in run.err and results.read_text() == line, run
        assert not page.exists()


@pytest.mark.parametrize("line,says", [
    (f'{OURS}endpoint"}}', "line 1: an endpoint"),
    (f'{OURS}endpoint"', "line 1: not JSON"),
    (f'{OURS}endpoint","a":' + "[" * 3000 + "]" * 3000 + "}",
     "line 1: not JSON")])
def test_results_that_no_page_can_show(chainmend, tmp_path, line, says):
    results, page = tmp_path / "results", tmp_path / "page.html"
    results.write_text(line + "\n")
    run = chainmend("check", "-f", "/dev/null", "--resume", results, "--html",
                    page)
    assert run.status == 3 and says in run.err and "results" in run.err, run
    assert not page.exists() and results.read_text() == line + "\n"


def test_hostile_names_stay_text(chainmend, pki, tmp_path):
    evil = pki.make('"><script>alert(1)<img src=x onerror=1>',
                    sans=["DNS:web.example"])
    out = tmp_path / "page.html"
    run = chainmend("check", evil.pem, "--roots", pki.anchor.pem, "--offline",
                    "--html", out)
    assert run.status == 1, run
    assert '"><script>alert(1)<img src=x onerror=1>' in read(out).text


def test_the_page_is_whole_or_not_there(chainmend, shop, tmp_path, free_port):
    out = tmp_path / "none" / "page.html"
    run = check(chainmend, shop, out, shop.chains["whole"])
    assert run.status == 3 and "page.html" in run.err, run
    run = chainmend("check", "-f", "-", "--html", out,
                    stdin=f"127.0.0.1:{free_port()}\n")
    assert run.status == 3 and "page.html" in run.err, run


# ---------------------------------------------------------------- a browser

@pytest.fixture(scope="session")
def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    pytest.skip("no Chromium on this machine")


def look(browser, page, shot, home, *flags):
    """What the browser prints; the picture is in shot."""
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu",
         "--hide-scrollbars", "--enable-logging=stderr", "--no-first-run",
         f"--user-data-dir={home}", "--window-size=1100,1600",
         f"--screenshot={shot}", *flags, page.as_uri()],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=120)
    assert shot.exists(), done.stdout
    return done.stdout


def first_pixel(png):
    """Of a PNG with 8 bits a colour: whatever the first row's filter, its
    first pixel stands as it is (PNG specification, section 9)."""
    data, at = png.read_bytes(), 8
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    packed = b""
    while at < len(data):
        n = int.from_bytes(data[at:at + 4], "big")
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + n]
        at += 12 + n
    row = zlib.decompressobj().decompress(packed, 4)
    return tuple(row[1:4])


def test_in_a_browser_light_and_dark(chainmend, shop, tmp_path, browser):
    out = tmp_path / "page.html"
    check(chainmend, shop, out, *shop.chains.values())
    light, dark = tmp_path / "light.png", tmp_path / "dark.png"
    said = look(browser, out, light, tmp_path / "a")
    said += look(browser, out, dark, tmp_path / "b", "--force-dark-mode",
                 "--blink-settings=preferredColorScheme=0")
    assert "CONSOLE" not in said, said
    assert min(first_pixel(light)) > 230 and max(first_pixel(dark)) < 60
    # A picture of something: an empty page packs to next to nothing.
    assert light.stat().st_size > 30000 and dark.stat().st_size > 30000


def test_console_errors_would_be_seen(tmp_path, browser):
    """The browser tells what the page's own rules forbid: so silence above
    means something."""
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><html><head><meta http-equiv="
                    "\"Content-Security-Policy\" content=\"default-src "
                    "'none'\"></head><body><script>1</script></body></html>")
    assert "CONSOLE" in look(browser, page, tmp_path / "x.png",
                             tmp_path / "c")


def test_the_keyboard_reaches_everything(chainmend, shop, tmp_path):
    """What can be opened, followed or scrolled takes the focus by itself or
    is given it."""
    out = tmp_path / "page.html"
    check(chainmend, shop, out, *shop.chains.values())
    page = read(out)
    assert page.links[0] == "#main"
    for attrs in page.of("div"):
        if "scroll" in attrs.get("class", "").split() and "index" not in \
                attrs["class"]:
            assert attrs["tabindex"] == "0" and attrs["aria-label"], attrs
    assert len(page.of("details")) == len(page.of("summary")) > 0
    assert not [a for _, a in page.tags if int(a.get("tabindex", 0)) > 0]
    for svg in page.of("svg"):
        assert svg["role"] == "img"
