// Package certs is a small certificate authority whose certificate and key are PEM texts.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const tenYears = 10 * 365 * 24 * time.Hour

// Pair is a certificate and its key, in PEM.
type Pair struct{ Cert, Key string }

// NewCA makes an authority.
func NewCA(name string) (Pair, error) { return issue(name, nil, nil, nil) }

// Issue makes a certificate, for servers and clients alike, that names hosts and is signed by ca.
func (ca Pair) Issue(name string, hosts ...string) (Pair, error) {
	pair, err := ca.load()
	if err != nil {
		return Pair{}, err
	}
	parent, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return Pair{}, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return Pair{}, errors.New("the key of the CA is of another kind")
	}
	return issue(name, hosts, parent, key)
}

func (ca Pair) load() (tls.Certificate, error) {
	return tls.X509KeyPair([]byte(ca.Cert), []byte(ca.Key))
}

func issue(name string, hosts []string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Pair{}, err
	}
	made := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Docker"}},
		// Clocks differ a little.
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(tenYears), BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
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
		parent, signer = made, key
	}
	der, err := x509.CreateCertificate(rand.Reader, made, parent, &key.PublicKey, signer)
	if err != nil {
		return Pair{}, err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	text := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return Pair{text("CERTIFICATE", der), text("EC PRIVATE KEY", secret)}, nil
}

// Pool trusts the PEM texts.
func Pool(texts ...string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, text := range texts {
		pool.AppendCertsFromPEM([]byte(text))
	}
	return pool
}

// Load reads cert.pem and key.pem of a folder.
func Load(dir string) (tls.Certificate, error) {
	return tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}

// Read is the same as texts.
func Read(dir string) (Pair, error) {
	cert, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		return Pair{}, err
	}
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	return Pair{string(cert), string(key)}, err
}
