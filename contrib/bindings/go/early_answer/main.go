// A server that answers early: early_answer bare|graceful|checks
// See ../../tests/check_early_answer.py, which plays the client.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"gracefulclose"
)

func must(err error) {
	if err != nil {
		fmt.Println("WRONG:", err)
		os.Exit(2)
	}
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	return listener
}

func answer() []byte {
	var text bytes.Buffer
	for line := 0; line < 16384; line++ {
		fmt.Fprintf(&text, "%015d\n", line)
	}
	return text.Bytes()
}

func serve(mode string) {
	listener := listen()
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	conn, err := listener.Accept()
	must(err)
	got, err := conn.Read(make([]byte, 1024))
	must(err)
	_, err = conn.Write(answer())
	must(err)
	if mode == "bare" {
		must(conn.Close())
		fmt.Printf("read=%d\n", got)
		return
	}
	report, err := gracefulclose.Close(conn.(*net.TCPConn), 10*time.Second)
	must(err)
	unacked := "unknown"
	if report.UnackedKnown {
		unacked = fmt.Sprint(report.UnackedBytes)
	}
	peerClosed := 0
	if report.PeerClosed {
		peerClosed = 1
	}
	fmt.Printf("read=%d outcome=%d name=%v closed=1 peer_closed=%d system_error=%d drained=%d unacked=%s\n",
		got, int(report.Outcome), report.Outcome, peerClosed, int(report.SystemError), report.DrainedBytes, unacked)
}

var wrong int

func check(holds bool, what ...interface{}) {
	if !holds {
		wrong++
		fmt.Println(append([]interface{}{"WRONG:"}, what...)...)
	}
}

func pair() (server, client *net.TCPConn) {
	listener := listen()
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	accepted, err := listener.Accept()
	must(err)
	return accepted.(*net.TCPConn), dialled.(*net.TCPConn)
}

func checks() {
	server, client := pair()
	client.Close()
	report, err := gracefulclose.Close(server, 5*time.Second)
	check(err == nil && report.Outcome == gracefulclose.Graceful, "graceful:", report, err)
	_, err = gracefulclose.Close(server, 0)
	check(errors.Is(err, net.ErrClosed), "a second close:", err)

	server, client = pair()
	started := time.Now()
	report, err = gracefulclose.Close(server, 200*time.Millisecond)
	check(err == nil && report.Outcome == gracefulclose.TimedOut, "time-out:", report, err)
	check(time.Since(started) >= 200*time.Millisecond, "too early:", time.Since(started))
	client.Close()

	server, client = pair()
	must(gracefulclose.Abort(server))
	_, err = client.Read(make([]byte, 1))
	check(errors.Is(err, syscall.ECONNRESET), "the peer of an abort:", err)
	client.Close()

	server, client = pair()
	_, err = server.Write([]byte("the end"))
	must(err)
	must(gracefulclose.Async(server, 5*time.Second))
	data := make([]byte, 100)
	got, err := client.Read(data)
	check(err == nil && string(data[:got]) == "the end", "in the background:", got, err)
	check(!gracefulclose.Flush(50*time.Millisecond), "nothing is pending")
	client.Close()
	check(gracefulclose.Flush(5*time.Second), "still pending")

	server, client = pair()
	must(gracefulclose.AsyncWith(server, gracefulclose.Options{Timeout: time.Minute, IdleTimeout: 50 * time.Millisecond}))
	check(gracefulclose.Flush(5*time.Second), "the idle time-out does not end it")
	client.Close()

	server, client = pair()
	must(client.CloseWrite())
	outcome, err := gracefulclose.Finish(server, 5*time.Second)
	check(err == nil && outcome == gracefulclose.Graceful, "finish:", outcome, err)
	check(server.Close() == nil, "the finished connection has lost its owner")
	client.Close()

	server, client = pair()
	report, err = gracefulclose.CloseWith(server, gracefulclose.Options{Timeout: 20 * time.Millisecond, Background: 5 * time.Second})
	check(err == nil && report.Outcome == gracefulclose.Continued, "continued:", report, err)
	client.Close()
	check(gracefulclose.Flush(5*time.Second), "the background does not end")

	_, err = gracefulclose.CloseFd(-1, gracefulclose.Options{})
	var refused *gracefulclose.Error
	check(errors.As(err, &refused) && refused.Code == gracefulclose.NotASocket && errors.Is(err, syscall.EBADF), "-1:", err)
	check(gracefulclose.Version() == "0.2.0", "version", gracefulclose.Version())
}

func main() {
	if os.Args[1] == "checks" {
		checks()
	} else {
		serve(os.Args[1])
	}
	if wrong > 0 {
		os.Exit(1)
	}
}
