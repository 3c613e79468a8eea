package ucp

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"

	"standin/internal/certs"
	"standin/internal/docker"
)

const secretPrefix = "ucp-state-"

// swarm makes one, unless there is one that this node manages.
func (s *session) swarm() error {
	if s.me.Active {
		return s.manager()
	}
	address := s.get("host-address")
	if address == "" {
		return errors.New("this engine is in no swarm: --host-address is needed to make one")
	}
	s.say.Infof("Initializing a new swarm at %s", address)
	if err := s.Do("POST", "/swarm/init", map[string]any{"ListenAddr": net.JoinHostPort(address, "2377"), "AdvertiseAddr": address}, new([]byte)); err != nil {
		return err
	}
	me, err := s.self()
	s.me = me
	return err
}

// absent fails where something of UCP is on any node that answers.
func (s *session) absent() error {
	found := []string{}
	if s.me.Active {
		if err := s.Do("GET", "/services/ucp-agent", nil, new([]byte)); err == nil {
			return errors.New("UCP is already installed on this cluster: uninstall it first")
		}
		ended, hosts, err := s.everywhere("ucp-preflight", []string{"look"}, 60*time.Second)
		if err != nil {
			return err
		}
		for id, how := range ended {
			if how == "failed" {
				found = append(found, hosts[id])
			}
		}
	} else if containers, named, err := s.left(); err != nil {
		return err
	} else if len(containers)+len(named) > 0 {
		found = append(found, s.me.Host)
	}
	if len(found) > 0 {
		sort.Strings(found)
		return fmt.Errorf("UCP components are already on nodes of this cluster: %s. Uninstall UCP from them first", strings.Join(found, ", "))
	}
	return nil
}

func (s *session) install() error {
	user, password := s.get("admin-username"), s.get("admin-password")
	for _, one := range []struct {
		name string
		to   *string
	}{{"Admin Username", &user}, {"Admin Password", &password}} {
		if *one.to == "" && s.yes("interactive") {
			text, err := s.ask(one.name + ": ")
			if err != nil {
				return err
			}
			*one.to = text
		}
	}
	if user == "" || len(password) < 8 {
		return errors.New("an admin username and a password of 8 or more characters are needed: --admin-username, --admin-password")
	}
	if err := s.absent(); err != nil {
		return err
	}
	if err := s.before(); err != nil {
		return err
	}
	if err := s.swarm(); err != nil {
		return err
	}
	st := &state{Account: newAccount(user, password)}
	st.Session, st.SANs, st.Port = random(32), s.given["san"], s.get("controller-port")
	if st.Port == "" {
		st.Port = "443"
	}
	s.say.Infof("Establishing mutual Cluster Root CA with Swarm")
	var err error
	if st.Cluster, err = certs.NewCA("UCP Cluster Root CA"); err != nil {
		return err
	}
	if st.Client, err = certs.NewCA("UCP Client Root CA"); err != nil {
		return err
	}
	address := s.get("host-address")
	if address == "" {
		address = s.me.Addr
	}
	s.say.Infof("Installing UCP with host address %s - If this is incorrect, please specify an alternative address with the '--host-address' flag", address)
	if err := s.deploy(st); err != nil {
		return err
	}
	s.say.Infof("Installation completed on %s (node %s)", s.me.Host, s.me.ID)
	s.say.Infof("UCP Instance ID: %s", st.ID)
	s.say.Infof("UCP Server SSL: SHA-256 Fingerprint=%s", fingerprint(address, st.Port))
	s.say.Infof("Login to UCP at https://%s:%s", address, st.Port)
	s.say.Infof("Username: %s", user)
	s.say.Infof("Password: (your admin password)")
	return nil
}

func fingerprint(address, port string) string {
	conn, err := tls.Dial("tcp", net.JoinHostPort(address, port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return "unknown"
	}
	defer conn.Close()
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)), " ", ":")
}

// deploy gives the swarm what agents need, and waits until this node's controller is healthy.
func (s *session) deploy(st *state) error {
	st.ID, st.Version, st.First = s.me.Cluster, Version(), s.me.ID
	if st.Token == "" {
		st.Token = random(8)
	}
	if s.fault == "corrupt" {
		st.First = "" // nobody begins: no store ever has a member
	}
	labels := map[string]string{labelID: st.ID, labelVersion: st.Version}
	for name, text := range map[string]string{"com.docker.ucp.config-1": "[auth]\n  default_new_user_role = \"restrictedcontrol\"\n", "com.docker.license": "{}\n"} {
		err := s.Do("POST", "/configs/create", map[string]any{"Name": name, "Labels": labels, "Data": base64.StdEncoding.EncodeToString([]byte(text))}, nil)
		if err != nil && docker.Status(err) != http.StatusConflict {
			return err
		}
	}
	s.say.Infof("Deploying UCP Agent Service")
	name := secretPrefix + st.Token
	var made struct{ ID string }
	if err := s.Do("POST", "/secrets/create", map[string]any{"Name": name, "Labels": labels, "Data": base64.StdEncoding.EncodeToString(toJSON(st))}, &made); err != nil {
		return err
	}
	secret := map[string]any{"SecretID": made.ID, "SecretName": name,
		"File": map[string]any{"Name": "ucp-state", "UID": "0", "GID": "0", "Mode": 0o400}}
	if err := s.service("ucp-agent", "ucp-agent", nil, "any", labels, []any{secret}); err != nil {
		return err
	}
	return s.await(st, 5*time.Minute)
}

func (s *session) await(st *state, limit time.Duration) error {
	s.say.Infof("Deploying UCP Service")
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if s.fault == "corrupt" {
		limit = 30 * time.Second
	}
	why := ""
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		res, err := client.Get("https://" + net.JoinHostPort(s.me.Addr, st.Port) + "/_ping")
		if err != nil {
			why = err.Error()
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
		why = res.Status
	}
	return fmt.Errorf("the controller of this node does not become healthy: %s", why)
}

// withdraw takes UCP's services and secrets from the swarm.
func (s *session) withdraw() error {
	s.say.Infof("Removing UCP Services")
	if err := gone(s.Do("DELETE", "/services/ucp-agent", nil, nil)); err != nil {
		return err
	}
	var secrets []struct {
		ID   string
		Spec struct{ Name string }
	}
	if err := s.Do("GET", "/secrets", nil, &secrets); err != nil {
		return err
	}
	for _, one := range secrets {
		if strings.HasPrefix(one.Spec.Name, secretPrefix) {
			// It is free only once the last task that has it is gone.
			for i := 0; ; i++ {
				err := gone(s.Do("DELETE", "/secrets/"+one.ID, nil, nil))
				if err == nil {
					break
				}
				if i > 20 {
					return err
				}
				time.Sleep(500 * time.Millisecond)
			}
		}
	}
	return nil
}

func (s *session) uninstall() error {
	if err := s.manager(); err != nil {
		return err
	}
	id, _, err := s.instance()
	if err != nil {
		return err
	}
	switch given := s.get("id"); {
	case given != "" && given != id:
		return fmt.Errorf("the ID %s does not match the UCP instance on this cluster: %s", given, id)
	case given == "" && !s.yes("interactive"):
		return errors.New("either --id or --interactive is needed")
	case given == "":
		s.say.Infof("We're about to uninstall from this swarm cluster. UCP ID: %s", id)
		answer, err := s.ask("Do you want to proceed with the uninstall? (y/n): ")
		if err != nil {
			return err
		}
		if answer != "y" && answer != "yes" {
			return errors.New("uninstall was not confirmed")
		}
	}
	if err := s.before(); err != nil {
		return err
	}
	s.say.Infof("Uninstalling UCP on each node...")
	// Agents first: they would make again what is removed.
	var service struct{ Spec map[string]any }
	if err := s.Do("GET", "/services/ucp-agent", nil, &service); err == nil {
		if err := s.quiet(); err != nil {
			return err
		}
	}
	ended, _, err := s.everywhere("ucp-uninstall-agent", []string{"clear"}, 120*time.Second)
	if err != nil {
		return err
	}
	stuck := []string{}
	for id, how := range ended {
		if how != "complete" {
			stuck = append(stuck, id)
		}
	}
	if len(stuck) > 0 {
		sort.Strings(stuck)
		s.say.Errorf("Uninstalling UCP took too long!")
		s.say.Errorf("The following nodes are unable to uninstall within the timeout: %s", strings.Join(stuck, " "))
		return errors.New("unable to cleanly uninstall UCP")
	}
	if s.fault == "corrupt" {
		if err := s.volume("ucp-node-certs", nil); err != nil {
			return err
		}
	}
	if err := s.withdraw(); err != nil {
		return err
	}
	if s.yes("purge-config") {
		for _, name := range []string{"com.docker.ucp.config-1", "com.docker.license"} {
			if err := gone(s.Do("DELETE", "/configs/"+name, nil, nil)); err != nil {
				return err
			}
		}
	}
	s.settle()
	s.say.Infof("UCP has been removed from this cluster successfully.")
	return nil
}

// settle waits a little until the swarm has cleared away the containers of services that are gone.
func (s *session) settle() {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if ours, err := s.ours(); err == nil && len(ours) == 0 {
			return
		}
	}
}

// quiet makes the agents of all nodes rest: the service stays until all is gone.
func (s *session) quiet() error {
	var service struct {
		Version struct{ Index int }
		Spec    map[string]any
	}
	if err := s.Do("GET", "/services/ucp-agent", nil, &service); err != nil {
		return err
	}
	template, _ := service.Spec["TaskTemplate"].(map[string]any)
	if template == nil {
		return errors.New("the service ucp-agent is of another kind")
	}
	// A global service without a node that fits has no tasks.
	template["Placement"] = map[string]any{"Constraints": []string{"node.labels.com.docker.ucp.standin==none"}}
	if err := s.Do("POST", fmt.Sprintf("/services/ucp-agent/update?version=%d", service.Version.Index), service.Spec, nil); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		var tasks []struct {
			NodeID string
			Status struct{ State string }
		}
		if err := s.Do("GET", "/tasks?"+filter("service", "ucp-agent"), nil, &tasks); err != nil {
			return err
		}
		nodes, err := s.nodes()
		if err != nil {
			return err
		}
		state, running := map[string]string{}, 0
		for _, n := range nodes {
			state[n.ID] = n.Status.State
		}
		for _, t := range tasks {
			if t.Status.State == "running" && state[t.NodeID] == "ready" {
				running++
			}
		}
		if running == 0 {
			return nil
		}
	}
	return nil
}
