# SPDX-License-Identifier: Apache-2.0
# brew install --build-from-source --HEAD ./packaging/homebrew/chainmend.rb
# For Homebrew on Linux: captures are read behind seccomp and Landlock.
class Chainmend < Formula
  desc "Find, explain and mend broken TLS certificate chains"
  homepage "https://chainmend.example"
  head "file://#{File.expand_path("../..", __dir__)}", using: :git, branch: "main"
  license "Apache-2.0"

  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build # manual pages are made from the program
  depends_on "brotli"
  depends_on "curl"
  depends_on "expat"
  depends_on "hiredis"
  depends_on "jansson"
  depends_on "libevent"
  depends_on "libpcap"
  depends_on "libseccomp"
  depends_on :linux
  depends_on "openssl@3"
  depends_on "sqlite"
  depends_on "zlib"
  depends_on "zstd"

  def install
    system "meson", "setup", "build", *std_meson_args, "-Dtests=disabled"
    system "meson", "compile", "-C", "build", "--verbose"
    system "meson", "install", "-C", "build"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/chainmend --version") unless head?
    system bin/"chainmend", "dhcp", "encode", "--web", "web.corp.example",
                            "--sip", "pool.corp.example"
  end
end
