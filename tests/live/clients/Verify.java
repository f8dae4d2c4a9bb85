// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Reads "PORT HOST" lines, shakes hands as HttpsURLConnection would with only
 * the roots given, and answers "yes" or "no: why" for each. */
class Verify {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var in = Files.newInputStream(Path.of(args[0]))) {
            int n = 0;
            for (Certificate c : CertificateFactory.getInstance("X.509")
                    .generateCertificates(in))
                store.setCertificateEntry("root" + n++, c);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(
            TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String[] words = line.split(" ");
            System.out.println(shake(context, Integer.parseInt(words[0]),
                                     words[1]));
            System.out.flush();
        }
    }

    private static String shake(SSLContext context, int port, String host) {
        try (Socket plain = new Socket("127.0.0.1", port);
                SSLSocket s = (SSLSocket) context.getSocketFactory()
                    .createSocket(plain, host, port, true)) {
            SSLParameters p = s.getSSLParameters();
            p.setEndpointIdentificationAlgorithm("HTTPS");
            s.setSSLParameters(p);
            s.setSoTimeout(10000);
            s.startHandshake();
            return "yes";
        } catch (Exception e) {
            return "no: " + String.valueOf(e.getMessage()).replace('\n', ' ');
        }
    }
}
