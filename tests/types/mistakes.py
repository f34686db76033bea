"""Mistakes that type checkers must find: mypy's code, then pyright's, and none but these.

- for one that mypy cannot find: Keras has no type hints, so that its objects are Any.
"""

import numpy as np

import seqkit
import seqkit.layers

seqkit.SequenceClassifier(unitz=3)  # call-arg, reportCallIssue
seqkit.SequenceRegressor(class_weight="balanced")  # call-arg, reportCallIssue
seqkit.SequenceForecaster(context_length=24, horizon=6, pooling="max")  # call-arg, reportCallIssue
seqkit.SequenceClassifier(random_state="0")  # arg-type, reportArgumentType
seqkit.SequenceClassifier(units="3")  # arg-type, reportArgumentType
seqkit.SequenceRegressor(learning_rate="fast")  # arg-type, reportArgumentType
seqkit.SequenceForecaster(24, 12)  # call-arg, reportCallIssue
seqkit.SequenceClassifer()  # attr-defined, reportAttributeAccessIssue
seqkit.SequenceRegressor().fit()  # call-arg, reportCallIssue
seqkit.SequenceRegressor().fit([[1.0]], series_id="a")  # call-arg, reportCallIssue
seqkit.SequenceClassifier(series_id=3)  # arg-type, reportArgumentType
seqkit.BacktestSplit(context=24, horizon=6)  # call-arg, reportCallIssue
forecaster = seqkit.SequenceForecaster(context_length=8, horizon=2)
seqkit.backtest(np.zeros(60), np.zeros(60))  # arg-type, reportArgumentType
seqkit.backtest(forecaster, np.zeros(60), y=print)  # arg-type, reportArgumentType
seqkit.TrainingError("a", [1.0])  # arg-type, reportArgumentType
seqkit.forecast_scorer("mae")(3, np.zeros(60))  # arg-type, reportArgumentType
seqkit.forecast_scorer(3)  # arg-type, reportArgumentType
seqkit.build_classifier(12, 1)  # call-arg, reportCallIssue
seqkit.build_regressor("12", 1)  # arg-type, reportArgumentType
seqkit.build_forecaster(24, 12, decoder=3)  # arg-type, reportArgumentType
seqkit.GatedRNN("many")  # arg-type, reportArgumentType
seqkit.Bidirectional()  # call-arg, reportCallIssue
seqkit.read_recipe(3)  # arg-type, reportArgumentType
seqkit.run("recipe.yaml", "runs")  # call-arg, reportCallIssue
seqkit.run("recipe.yaml").score()  # attr-defined, reportAttributeAccessIssue
seqkit.load_run("run", "again")  # call-arg, reportCallIssue
seqkit.RunError().field()  # attr-defined, reportAttributeAccessIssue
seqkit.SequenceClassifier().fit([[1.0]], [1]).score()  # call-arg, reportCallIssue
text: str = seqkit.SequenceRegressor().score([], [])  # assignment, reportAssignmentType
seqkit.SequenceClassifier().predict(None)  # arg-type, reportArgumentType
seqkit.SequenceRegressor().fit([[1.0]], [1.0], validation_data=3)  # arg-type, reportArgumentType
seqkit.SequenceClassifier().save(3)  # arg-type, reportArgumentType
seqkit.load(3)  # arg-type, reportArgumentType
seqkit.build_classifier(12, 1, 2, unitz=3)  # call-arg, reportCallIssue
seqkit.build_regressor(12, 1, scale="std")  # arg-type, reportArgumentType
seqkit.build_regressor(12, 1, multilabel=True)  # call-arg, reportCallIssue
seqkit.SequenceClassifier(pooling="sum")  # arg-type, reportArgumentType
seqkit.build_forecaster(24, 12, decoder="all")  # arg-type, reportArgumentType
seqkit.SequenceRegressor(bias_initializer="chrono_like")  # arg-type, reportArgumentType
seqkit.SequenceClassifier(cell="lstn")  # arg-type, reportArgumentType
seqkit.SequenceClassifier(optimizer="adm")  # -, reportArgumentType
seqkit.SequenceClassifier(loss="mae")  # arg-type, reportArgumentType
seqkit.SequenceRegressor(loss="crossentropy")  # arg-type, reportArgumentType
seqkit.SequenceForecaster(context_length=24, horizon=6, loss="msle")  # arg-type, reportArgumentType
seqkit.build_classifier(12, 1, 2, cell="rnn")  # arg-type, reportArgumentType
seqkit.GatedRNN(4, cell="lstn")  # arg-type, reportArgumentType
seqkit.GatedRNN(4, kernel="numba")  # arg-type, reportArgumentType
seqkit.layers.SequencePooling("attention")  # arg-type, reportArgumentType
seqkit.layers.LSTM(4)  # attr-defined, reportAttributeAccessIssue
seqkit.GatedRNN(4, bias_initializer=3)  # -, reportArgumentType
