// Package docker is a small client of the Docker Engine API, and of anything that speaks it: an engine's unix socket,
// its TCP port behind TLS, or a UCP controller with a bearer token or a client certificate.
package docker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options says where the API is and how to be let in. Only URL is needed.
type Options struct {
	URL      string           // unix:///path, http://host[:port], https://host[:port]
	CA       []byte           // PEM; with https, nothing else is trusted
	Insecure bool             // with https: no verification
	Cert     *tls.Certificate // with https: the client's certificate
	Token    string           // Authorization: Bearer TOKEN
	Timeout  time.Duration    // of one Do; 0 is two minutes
	Dial     time.Duration    // of a connection; 0 is five seconds
}

// Client may be used by several goroutines at a time.
type Client struct {
	base    string
	token   string
	timeout time.Duration
	http    *http.Client
	dial    func(ctx context.Context) (net.Conn, error) // a connection that is ready for HTTP, for Hijack
}

// Error is an answer whose status is 400 or above.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Status is the HTTP status of an error that was an answer, or 0.
func Status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// NotFound tells an answer 404 from other errors.
func NotFound(err error) bool { return Status(err) == http.StatusNotFound }

// Unix is a client of the engine that listens on a socket.
func Unix(path string) *Client {
	c, err := New(Options{URL: "unix://" + path})
	if err != nil {
		panic(err) // a unix URL cannot fail
	}
	return c
}

// TLS is the configuration that o asks for.
func (o Options) TLS() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if len(o.CA) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, errors.New("the CA holds no PEM certificate")
		}
	}
	if o.Cert != nil {
		conf.Certificates = []tls.Certificate{*o.Cert}
	}
	return conf, nil
}

// New makes a client; it does not connect yet.
func New(o Options) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Dial == 0 {
		o.Dial = 5 * time.Second
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{token: o.Token, timeout: o.Timeout}
	network, address := "tcp", u.Host
	var conf *tls.Config
	switch u.Scheme {
	case "unix":
		network, address, c.base = "unix", u.Path, "http://docker"
	case "http", "tcp":
		c.base = "http://" + u.Host
	case "https":
		c.base = "https://" + u.Host
		if conf, err = o.TLS(); err != nil {
			return nil, err
		}
		if u.Port() == "" {
			address = net.JoinHostPort(u.Hostname(), "443")
		}
	default:
		return nil, fmt.Errorf("%q is no address of an API: unix://, http:// or https://", o.URL)
	}
	dialer := &net.Dialer{Timeout: o.Dial}
	plain := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: plain, TLSClientConfig: conf, TLSHandshakeTimeout: o.Dial, MaxIdleConnsPerHost: 4, IdleConnTimeout: 20 * time.Second,
	}}
	c.dial = func(ctx context.Context) (net.Conn, error) {
		conn, err := plain(ctx, "", "")
		if err != nil || conf == nil {
			return conn, err
		}
		own := conf.Clone()
		own.ServerName = u.Hostname()
		secure := tls.Client(conn, own)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
	return c, nil
}

// WithToken is the same client with another bearer token.
func (c *Client) WithToken(token string) *Client {
	other := *c
	other.token = token
	return &other
}

// WithTimeout is the same client with another limit of Do.
func (c *Client) WithTimeout(timeout time.Duration) *Client {
	other := *c
	other.timeout = timeout
	return &other
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader, kind string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// Raw makes a call and hands the answer over, whatever its status is; the caller closes its body. No time limit but ctx's.
func (c *Client) Raw(ctx context.Context, method, path string, body io.Reader, kind string) (*http.Response, error) {
	req, err := c.request(ctx, method, path, body, kind)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// Do makes a call: in goes as JSON unless it is nil, the answer comes into out unless that is nil (*[]byte takes it as it
// is). A status of 400 or above is an *Error.
func (c *Client) Do(method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	var body io.Reader
	kind := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, kind = bytes.NewReader(text), "application/json"
	}
	res, err := c.Raw(ctx, method, path, body, kind)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 400 {
		return answered(res.StatusCode, text)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = text
		return nil
	default:
		return json.Unmarshal(text, out)
	}
}

// Stream makes a call and gives the body of a good answer; the caller closes it. For archives and logs.
func (c *Client) Stream(method, path string, body io.Reader, kind string) (io.ReadCloser, error) {
	res, err := c.Raw(context.Background(), method, path, body, kind)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 400 {
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		return nil, answered(res.StatusCode, text)
	}
	return res.Body, nil
}

func answered(status int, text []byte) *Error {
	var said struct{ Message string }
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = strings.TrimSpace(string(text))
	}
	if said.Message == "" {
		said.Message = fmt.Sprintf("%d %s", status, http.StatusText(status))
	}
	return &Error{status, said.Message}
}

// Conn is a connection that was upgraded to a raw stream. Reads go through Reader: bytes may have come with the answer.
type Conn struct {
	net.Conn
	Reader *bufio.Reader
}

// CloseWrite ends the stream in one direction: the container sees the end of its input.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.New("this connection cannot be closed by half")
}

// Hijack makes a call that ends in a raw stream: attach, or an exec's start.
func (c *Client) Hijack(method, path string, in any) (*Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	var body io.Reader
	kind := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body, kind = bytes.NewReader(text), "application/json"
	}
	req, err := c.request(ctx, method, path, body, kind)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, err
	}
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, req)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols && res.StatusCode != http.StatusOK {
		defer conn.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		return nil, answered(res.StatusCode, text)
	}
	conn.SetDeadline(time.Time{})
	return &Conn{conn, reader}, nil
}

// Split copies a multiplexed stream (containers without a TTY: attach, logs) to where its frames belong, until it ends.
func Split(stdout, stderr io.Writer, in io.Reader) error {
	var head [8]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		to := stdout
		if head[0] == 2 {
			to = stderr
		}
		if _, err := io.CopyN(to, in, int64(binary.BigEndian.Uint32(head[4:]))); err != nil {
			return err
		}
	}
}

// Escape is url.PathEscape that keeps slashes: names through UCP are NODE/NAME and stay so in a path.
func Escape(name string) string { return strings.ReplaceAll(url.PathEscape(name), "%2F", "/") }
