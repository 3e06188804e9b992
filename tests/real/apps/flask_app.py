"""Flask's development server: the body is refused by its own limit."""
import os
import sys

from flask import Flask, request, send_file

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 100_000


@app.route("/", methods=["POST"])
def upload():
    return str(len(request.form)) + str(len(request.data))


@app.route("/1M.bin")
def get():
    return send_file(os.environ["REAL_FILE"])


app.run("0.0.0.0", int(sys.argv[1]))
