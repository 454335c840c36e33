// A UDP echo by one goroutine; prints "listening PORT".
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		fmt.Fprintln(os.Stderr, "udp.go:", err)
		os.Exit(1)
	}
	conn.SetReadBuffer(4 << 20)
	fmt.Println("listening", conn.LocalAddr().(*net.UDPAddr).Port)
	buffer := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		conn.WriteToUDPAddrPort(buffer[:n], from)
	}
}
