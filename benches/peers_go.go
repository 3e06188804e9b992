// peers_go closes in the background as one writes it in Go: a goroutine per connection.
//
//	peers_go N TIMEOUT_MS close|hold
//
// It accepts N connections from descriptor 3, starts their peers by a byte to descriptor 4 and writes CPU seconds,
// bytes of resident memory per connection and the CPU seconds of an idle second to descriptor 5. The memory is
// counted from before the accept: in Go a connection belongs to the runtime from then on.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func rss() float64 {
	text, _ := os.ReadFile("/proc/self/smaps_rollup")
	for _, line := range strings.Split(string(text), "\n") {
		var kib float64
		if n, _ := fmt.Sscanf(line, "Rss: %f", &kib); n == 1 {
			return kib * 1024
		}
	}
	return 0
}

func finish(conn *net.TCPConn, timeout time.Duration, all *sync.WaitGroup) {
	conn.CloseWrite()
	conn.SetReadDeadline(time.Now().Add(timeout))
	io.Copy(io.Discard, conn)
	conn.Close()
	all.Done()
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	ms, _ := strconv.Atoi(os.Args[2])
	timeout := time.Duration(ms) * time.Millisecond
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	before := rss()
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		conns[i] = conn.(*net.TCPConn)
	}
	var all sync.WaitGroup
	all.Add(n)
	began := cpu()
	os.NewFile(4, "peers").Write([]byte("g"))
	for _, conn := range conns {
		go finish(conn, timeout, &all)
	}
	figures := os.NewFile(5, "figures")
	if os.Args[3] == "hold" {
		time.Sleep(700 * time.Millisecond)
		each := (rss() - before) / float64(n)
		idle := cpu()
		time.Sleep(time.Second)
		fmt.Fprintln(figures, 0, each, cpu()-idle)
		return
	}
	all.Wait()
	fmt.Fprintln(figures, cpu()-began, 0, 0)
}
