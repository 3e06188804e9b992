module gracefulclose

go 1.19
