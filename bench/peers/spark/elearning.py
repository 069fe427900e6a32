"""stub"""
def start(spark, job): raise SystemExit(1)
