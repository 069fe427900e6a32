# Sets `python` to an interpreter that has PySpark, which is installed once. To be sourced. Ends the
# script, with 0 and a message, where Java, Python or its modules are missing.

# The version that the specification was measured on is 3.5.0; this is the last of that line.
pyspark=3.5.5

skip() {
    echo "skipped: $1" >&2
    exit 0
}

command -v java > /dev/null || skip 'Spark needs Java 17; .ci/setup installs it'
command -v python3 > /dev/null || skip 'PySpark needs Python 3.10 or newer'
venv=${HIGHWATER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/highwater}/pyspark-$pyspark
python=$venv/bin/python
if ! "$python" -c 'import pyspark' 2> /dev/null; then
    python3 -m venv "$venv" || skip 'Python has no module `venv` (Debian: python3-venv)'
    "$python" -m pip install --quiet --disable-pip-version-check "pyspark==$pyspark" ||
        skip "pip could not install pyspark $pyspark"
fi
export PYTHONDONTWRITEBYTECODE=1 PYSPARK_PYTHON=$python
