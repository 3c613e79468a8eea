package dtr

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"path/filepath"
	"time"
)

const tenYears = 10 * 365 * 24 * time.Hour

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err)
	}
	return n
}

// certificate makes a key and a certificate for it, signed by itself (parent nil) or by a CA.
func certificate(name string, hosts []string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (cert, key string, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	made := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name, Organization: []string{"Docker Trusted Registry"}},
		// Clocks differ a little.
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(tenYears), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			made.IPAddresses = append(made.IPAddresses, ip)
		} else if host != "" {
			made.DNSNames = append(made.DNSNames, host)
		}
	}
	if parent == nil {
		made.IsCA, made.KeyUsage, made.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
		parent, signer = made, own
	}
	der, err := x509.CreateCertificate(rand.Reader, made, parent, &own.PublicKey, signer)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		return "", "", err
	}
	return pemText("CERTIFICATE", der), pemText("EC PRIVATE KEY", secret), nil
}

func parseCA(cert, key string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	c, _ := pem.Decode([]byte(cert))
	k, _ := pem.Decode([]byte(key))
	if c == nil || k == nil {
		return nil, nil, errors.New("the CA of DTR is no PEM")
	}
	parent, err := x509.ParseCertificate(c.Bytes)
	if err != nil {
		return nil, nil, err
	}
	signer, err := x509.ParseECPrivateKey(k.Bytes)
	return parent, signer, err
}

// writeCerts fills the volume dtr-ca-ID: the CA of all replicas, and a certificate of this one for its hosts.
func writeCerts(dir string, s *settings, hosts []string) error {
	parent, signer, err := parseCA(s.CACert, s.CAKey)
	if err != nil {
		return err
	}
	cert, key, err := certificate("dtr", append([]string{"localhost", "127.0.0.1"}, hosts...), parent, signer)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"ca.pem": s.CACert, "cert.pem": cert, "key.pem": key} {
		if err := saveFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
