# SPDX-License-Identifier: Apache-2.0
# For the hidden set-up of examples (test_readme.py): certificates, and servers
# under the names that the pages use, in a network of their own.

SITES="example.org www.example.org mail.example.org ldap.example.org db.example.org shop.example.org web.corp.example"

# A root, an issuer and a leaf for all of SITES, in ./lab, once for all pages.
lab() {
	test ! -e lab/whole.pem || return 0
	mkdir lab
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Lab Root" -days 90 \
		-addext keyUsage=keyCertSign -keyout lab/root.key -out lab/root.pem
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Lab Issuing CA" \
		-addext basicConstraints=critical,CA:TRUE -keyout lab/issuing.key -out lab/issuing.csr
	openssl x509 -req -in lab/issuing.csr -CA lab/root.pem -CAkey lab/root.key -days 90 \
		-copy_extensions copyall -out lab/issuing.pem
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=example.org" \
		-addext "subjectAltName=$(printf ',DNS:%s' $SITES | cut -c 2-)" -keyout lab/leaf.key -out lab/leaf.csr
	openssl x509 -req -in lab/leaf.csr -CA lab/issuing.pem -CAkey lab/issuing.key -days 90 \
		-copy_extensions copyall -out lab/leaf.pem
	cat lab/leaf.pem lab/issuing.pem > lab/whole.pem
}

# answers PORT: wait until what was started last listens there, or is gone.
answers() {
	until ss -Hlnt "sport = :$1" | grep -q .; do
		kill -0 $! || return
		sleep 0.05
	done
}

# site PORT [OPTION]: https that sends the leaf alone.
site() {
	openssl s_server -accept "$1" -cert lab/leaf.pem -key lab/leaf.key -www -quiet $2 &
	answers "$1"
}

# speaks PROTOCOL PORT: a server of that protocol, by way of STARTTLS.
speaks() {
	python3 -B "$SOURCE/tests/live/speak.py" "$1" "$2" lab/leaf.pem lab/leaf.key &
	answers "$2"
}
